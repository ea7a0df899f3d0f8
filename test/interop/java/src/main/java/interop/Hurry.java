package interop;

/**
 * Saves up to three seconds per client that shuts down: the client waits for its event thread, which looks only every three seconds whether it
 * should end. An interrupt makes it look at once, and is otherwise ignored by it.
 */
final class Hurry {
    private Hurry() {}

    static void start() {
        Thread thread = new Thread(() -> {
            for (;;) {
                for (Thread other : Thread.getAllStackTraces().keySet()) {
                    if (other.getName().startsWith("NettyEventExecutor")) other.interrupt();
                }
                try {
                    Thread.sleep(200);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }, "hurry");
        thread.setDaemon(true);
        thread.start();
    }
}
