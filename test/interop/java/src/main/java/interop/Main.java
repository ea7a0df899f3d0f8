package interop;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs the scenarios named on the command line at the same time and prints one JSON line per check.
 * Arguments: name server address, run id, scenario names.
 */
public final class Main {
    interface Scenario {
        void run(Cluster cluster) throws Exception;
    }

    private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

    static {
        SCENARIOS.put("send", SendScenario::run);
        SCENARIOS.put("compression", CompressionScenario::run);
        SCENARIOS.put("tags", PushScenario::tags);
        SCENARIOS.put("broadcasting", PushScenario::broadcasting);
        SCENARIOS.put("resume", PushScenario::resume);
        SCENARIOS.put("rebalance", RebalanceScenario::run);
        SCENARIOS.put("litepull", LitePullScenario::run);
        SCENARIOS.put("query", QueryScenario::run);
        SCENARIOS.put("orderly", OrderlyScenario::run);
        SCENARIOS.put("retry", RetryScenario::run);
        SCENARIOS.put("pop", PopScenario::run);
        SCENARIOS.put("bridge", BridgeScenario::run);
        SCENARIOS.put("hold", HoldScenario::run);
    }

    public static void main(String[] args) throws Exception {
        Report.takeOverStandardOutput();
        try {
            Cluster cluster = new Cluster(args[0], args[1]);
            List<Thread> running = new ArrayList<>();
            for (int i = 2; i < args.length; i++) running.add(start(args[i], cluster));
            for (Thread thread : running) thread.join();
        } catch (Throwable e) {
            e.printStackTrace();
            Report.check("driver", e.toString());
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0); // threads of the client would keep the process alive
    }

    private static Thread start(String name, Cluster cluster) {
        Scenario scenario = SCENARIOS.get(name);
        if (scenario == null) throw new IllegalArgumentException("no scenario " + name);
        Thread thread = new Thread(() -> {
            long begin = System.nanoTime();
            String failure = "";
            try {
                scenario.run(cluster);
            } catch (Throwable e) {
                e.printStackTrace();
                failure = e.toString();
            }
            Report.check(name + ": no exception", failure);
            System.err.println(name + " took " + (System.nanoTime() - begin) / 1_000_000 + " ms");
        }, name);
        thread.start();
        return thread;
    }
}
