import com.hsbc.cranker.connector.CrankerConnector;
import com.hsbc.cranker.connector.CrankerConnectorBuilder;

import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * The Java cranker-connector for one route. Prints {@code {"started":true}} when it has started, which is before it is
 * registered; deregisters and finishes what runs on SIGTERM and when stdin ends.
 */
public final class InteropConnector {
    private static final int STOP_SECONDS = 10;

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Lifetime.options(args);
        List<URI> routers = list(options.get("routers")).stream().map(URI::create).collect(Collectors.toList());
        CrankerConnector connector = CrankerConnectorBuilder.connector()
            .withRouterUris(() -> routers)
            .withRoute(options.get("route"))
            .withTarget(URI.create(options.get("target")))
            .withSlidingWindowSize(Lifetime.number(options, "window", 2))
            .withPreferredProtocols(
                list(options.get("protocols")).stream().map(v -> "cranker_" + v).collect(Collectors.toList()))
            .withComponentName("interop-jc")
            .start();
        System.out.println("{\"started\":true}");

        Lifetime.untilStopped(() -> {
            boolean clean = connector.stop(STOP_SECONDS, TimeUnit.SECONDS);
            System.err.println("stopped " + (clean ? "cleanly" : "with requests or idle sockets left"));
        });
    }

    private static List<String> list(String commaSeparated) {
        return Arrays.asList(commaSeparated.split(","));
    }
}
