import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** What both programs need: arguments, and an end when the test asks for it or is gone. */
final class Lifetime {
    private Lifetime() {
    }

    /** Arguments are {@code name=value}. */
    static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (String arg : args) {
            int at = arg.indexOf('=');
            options.put(arg.substring(0, at), arg.substring(at + 1));
        }
        return options;
    }

    static int number(Map<String, String> options, String name, int byDefault) {
        return Integer.parseInt(options.getOrDefault(name, Integer.toString(byDefault)));
    }

    /** Runs {@code stop} on SIGTERM and when stdin ends. The caller's thread waits here until the process ends. */
    static void untilStopped(Runnable stop) throws IOException {
        Runtime.getRuntime().addShutdownHook(new Thread(stop, "stop"));
        while (System.in.read() != -1) {
            // Only the end counts.
        }
        System.exit(0);
    }
}
