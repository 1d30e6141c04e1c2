import com.hsbc.cranker.mucranker.CrankerRouter;
import com.hsbc.cranker.mucranker.CrankerRouterBuilder;
import io.muserver.MuHandler;
import io.muserver.MuServer;
import io.muserver.MuServerBuilder;

import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * mu-cranker-router on two plain ports of 127.0.0.1. Prints {@code {"publicPort":…,"registrationPort":…}} when both
 * listen; stops on SIGTERM and when stdin ends.
 */
public final class InteropRouter {
    private static final int HEAD_BYTES = 64 * 1024;

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Lifetime.options(args);
        CrankerRouterBuilder builder = CrankerRouterBuilder.crankerRouter();
        if (options.containsKey("connectorWait")) {
            builder.withConnectorMaxWaitInMillis(Lifetime.number(options, "connectorWait", 0));
        }
        if (options.containsKey("idleTimeout")) {
            builder.withIdleTimeout(Lifetime.number(options, "idleTimeout", 0), TimeUnit.MILLISECONDS);
        }
        if (options.containsKey("pingInterval")) {
            builder.withPingSentAfterNoWritesFor(Lifetime.number(options, "pingInterval", 0), TimeUnit.MILLISECONDS);
        }
        CrankerRouter router = builder.start();

        MuServer registration = server(options, "registrationPort", router.createRegistrationHandler());
        MuServer clients = server(options, "publicPort", router.createHttpHandler());
        System.out.println("{\"publicPort\":" + clients.uri().getPort()
            + ",\"registrationPort\":" + registration.uri().getPort() + "}");

        Lifetime.untilStopped(() -> {
            clients.stop(2, TimeUnit.SECONDS);
            router.stop();
            registration.stop(2, TimeUnit.SECONDS);
        });
    }

    /** The server around the router must not be what limits it or changes what it sends. */
    private static MuServer server(Map<String, String> options, String port, MuHandler handler) {
        return MuServerBuilder.httpServer()
            .withInterface("127.0.0.1")
            .withHttpPort(Lifetime.number(options, port, 0))
            .withGzipEnabled(false)
            .withMaxHeadersSize(HEAD_BYTES)
            .withMaxUrlSize(HEAD_BYTES)
            .withMaxRequestSize(Long.MAX_VALUE)
            .addHandler(handler)
            .start();
    }
}
