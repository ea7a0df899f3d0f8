package interop;

import java.util.Arrays;

/**
 * Saves up to three seconds per client that a thread shuts down: it waits for the client's event thread, which looks only every three seconds
 * whether it should end. An interrupt makes that look at once. A client that works must not be interrupted: its event thread also sends heartbeats.
 */
final class Hurry {
    private Hurry() {}

    static void start(Thread user) {
        Thread thread = new Thread(() -> {
            for (;;) {
                if (isShuttingDown(user)) {
                    for (Thread other : Thread.getAllStackTraces().keySet()) {
                        if (other.getName().startsWith("NettyEventExecutor")) other.interrupt();
                    }
                }
                try {
                    Thread.sleep(50);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }, "hurry");
        thread.setDaemon(true);
        thread.start();
    }

    private static boolean isShuttingDown(Thread user) {
        return Arrays.stream(user.getStackTrace()).anyMatch(frame -> frame.getClassName().endsWith(".ServiceThread") && frame.getMethodName().equals("shutdown"));
    }
}
