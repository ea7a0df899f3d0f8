package interop;

import com.alibaba.fastjson2.JSON;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/** Prints one JSON line per check to the real standard output; the client's own chatter goes to standard error. */
final class Report {
    private static final PrintStream OUT = System.out;

    private Report() {}

    static void takeOverStandardOutput() {
        System.setOut(System.err);
    }

    static synchronized void line(Map<String, Object> fields) {
        OUT.println(JSON.toJSONString(fields));
        OUT.flush();
    }

    /** A check holds when the difference is empty. */
    static void check(String name, String difference) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("name", name);
        fields.put("ok", difference.isEmpty());
        fields.put("detail", difference);
        line(fields);
    }

    static void same(String name, Object expected, Object actual) {
        check(name, expected.equals(actual) ? "" : "expected " + expected + ", got " + actual);
    }

    /** Waits for a condition; false when the time is over. */
    static boolean until(int seconds, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > end) return false;
            Thread.sleep(50);
        }
        return true;
    }
}
