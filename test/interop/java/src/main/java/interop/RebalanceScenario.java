package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** Two members, a third in a process of its own that joins and is killed; messages flow all the time. */
final class RebalanceScenario {
    private static final int QUEUES = 8;
    private final Cluster cluster;
    private final String topic;
    private final DefaultMQProducer producer;
    private final Sent sent = new Sent();
    /** Message number → how often it was consumed, by whomever. */
    private final Map<String, Integer> consumed = new ConcurrentHashMap<>();
    private final Set<String> wrong = ConcurrentHashMap.newKeySet();
    /** What the third member said it owns, last. */
    private volatile Set<Integer> third = Set.of();
    private int next;

    private RebalanceScenario(Cluster cluster) throws Exception {
        this.cluster = cluster;
        topic = cluster.topic("T_rebalance", QUEUES);
        producer = cluster.producer("P_rebalance");
    }

    static void run(Cluster cluster) throws Exception {
        new RebalanceScenario(cluster).run();
    }

    private void run() throws Exception {
        DefaultMQPushConsumer one = member();
        Report.check("rebalance: one member owns every queue", settled(() -> shares(one)));
        DefaultMQPushConsumer two = member();
        Report.check("rebalance: two members own four each", settled(() -> shares(one, two)));
        Report.check("rebalance: with two members everything arrives once", once());

        Process process = child();
        Report.check("rebalance: a third joins, every queue has one owner", settled(() -> shares(one, two)));
        Report.check("rebalance: with three members everything arrives once", once());

        process.destroyForcibly(); // SIGKILL: no unregistering, no offset commit
        process.waitFor();
        third = Set.of();
        Report.check("rebalance: the others take over from a killed member", settled(() -> shares(one, two)));
        Report.check("rebalance: after the kill everything arrives once", once());
        Report.until(20, () -> consumed.keySet().containsAll(sent.messages.keySet()));
        Set<String> missing = new TreeSet<>(sent.messages.keySet());
        missing.removeAll(consumed.keySet());
        Report.check("rebalance: no message is lost", missing.isEmpty() ? "" : "missing " + missing);
        Report.check("rebalance: contents are unchanged", wrong.isEmpty() ? "" : wrong.toString());
        one.shutdown();
        two.shutdown();
        producer.shutdown();
    }

    private DefaultMQPushConsumer member() throws Exception {
        DefaultMQPushConsumer consumer = cluster.push("G_rebalance", topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            list.forEach(message -> {
                String difference = sent.differs(message);
                if (!difference.isEmpty()) wrong.add(difference);
                consumed.merge(Sent.number(message), 1, Integer::sum);
            });
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    /** '' when the members own all queues, each queue one owner and the shares differ by one at most. */
    private String shares(DefaultMQPushConsumer... members) {
        List<Set<Integer>> shares = new ArrayList<>();
        for (DefaultMQPushConsumer member : members) shares.add(Cluster.owned(member, topic).stream().map(q -> q.getQueueId()).collect(Collectors.toSet()));
        if (child != null && child.isAlive()) shares.add(third);
        Set<Integer> union = new HashSet<>();
        shares.forEach(union::addAll);
        int total = shares.stream().mapToInt(Set::size).sum();
        int smallest = shares.stream().mapToInt(Set::size).min().orElse(0);
        int largest = shares.stream().mapToInt(Set::size).max().orElse(0);
        return union.size() == QUEUES && total == QUEUES && largest - smallest <= 1 ? "" : "owned: " + shares;
    }

    /** Sends on while waiting for the members to settle. */
    private String settled(Callable<String> shares) throws Exception {
        Report.until(60, () -> {
            send();
            return shares.call().isEmpty();
        });
        return shares.call();
    }

    private void send() throws Exception {
        int n = next++;
        producer.send(sent.make(topic, "TagA", n), cluster.queue(topic, n % QUEUES));
    }

    /** With settled members: a round of messages to every queue arrives exactly once. */
    private String once() throws Exception {
        int from = next;
        for (int i = 0; i < 8 * QUEUES; i++) send();
        int to = next;
        List<String> round = sent.messages.keySet().stream().filter(n -> Integer.parseInt(n) >= from && Integer.parseInt(n) < to).toList();
        Report.until(30, () -> consumed.keySet().containsAll(round));
        Thread.sleep(500);
        List<String> other = round.stream().filter(n -> consumed.getOrDefault(n, 0) != 1).map(n -> n + " " + consumed.getOrDefault(n, 0) + " times").toList();
        return other.isEmpty() ? "" : other.toString();
    }

    private Process child;

    private Process child() throws Exception {
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java")));
        command.addAll(java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "interop.Member", cluster.nameServer, cluster.run, topic));
        child = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        Thread reader = new Thread(() -> {
            try (BufferedReader in = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
                for (String line = in.readLine(); line != null; line = in.readLine()) heard(line);
            } catch (java.io.IOException e) {
                // the child was killed
            }
        });
        reader.setDaemon(true);
        reader.start();
        return child;
    }

    private void heard(String line) {
        if (line.startsWith("got ")) consumed.merge(line.substring(4), 1, Integer::sum);
        else if (line.startsWith("owns")) third = java.util.Arrays.stream(line.substring(4).trim().split(" ")).filter(s -> !s.isEmpty()).map(Integer::valueOf).collect(Collectors.toSet());
    }
}
