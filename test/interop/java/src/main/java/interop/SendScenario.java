package interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;

/** Synchronous, asynchronous, one-way and batch sends, all read back. */
final class SendScenario {
    private SendScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_send", 4);
        DefaultMQProducer producer = cluster.producer("P_send");
        Sent sent = new Sent();
        Map<String, SendResult> results = new ConcurrentHashMap<>();

        for (int n = 0; n < 8; n++) results.put("" + n, producer.send(sent.make(topic, "TagA", n), cluster.queue(topic, n % 4)));
        Report.same("send: sync is SEND_OK", true, results.values().stream().allMatch(r -> r.getSendStatus() == SendStatus.SEND_OK));
        Report.same("send: sync keeps the queue asked for", true,
            results.entrySet().stream().allMatch(e -> e.getValue().getMessageQueue().getQueueId() == Integer.parseInt(e.getKey()) % 4));
        Report.same("send: queue offsets count from 0", List.of(0L, 1L), List.of(results.get("1").getQueueOffset(), results.get("5").getQueueOffset()));

        Report.check("send: async calls back", async(producer, sent, topic, results));
        for (int n = 100; n < 110; n++) producer.sendOneway(sent.make(topic, null, n));
        List<Message> batch = new ArrayList<>();
        for (int n = 200; n < 232; n++) batch.add(sent.make(topic, n % 2 == 0 ? "TagA" : "TagB", n));
        SendResult result = producer.send(batch, cluster.queue(topic, 2));
        Report.same("send: batch is SEND_OK", SendStatus.SEND_OK, result.getSendStatus());
        Report.same("send: batch has an id per message", 32, result.getMsgId().split(",").length);

        List<MessageExt> got = PushScenario.collect(cluster, "G_send", topic, "*", sent.messages.size());
        Report.check("send: everything arrives once, unchanged", sent.differs(new ArrayList<>(sent.messages.keySet()), got));
        Report.check("send: positions and ids are those of the answers", positions(results, got));
        Report.check("send: batch elements are consecutive in one queue", consecutive(got, result));
        producer.shutdown();
    }

    private static String async(DefaultMQProducer producer, Sent sent, String topic, Map<String, SendResult> results) throws Exception {
        CountDownLatch called = new CountDownLatch(50);
        List<Throwable> failures = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            String n = "" + (20 + i);
            producer.send(sent.make(topic, "TagB", 20 + i), new SendCallback() {
                @Override public void onSuccess(SendResult r) { results.put(n, r); called.countDown(); }
                @Override public void onException(Throwable e) { synchronized (failures) { failures.add(e); } called.countDown(); }
            });
        }
        if (!called.await(20, TimeUnit.SECONDS)) return called.getCount() + " callbacks did not come";
        return failures.isEmpty() ? "" : failures.toString();
    }

    private static String positions(Map<String, SendResult> results, List<MessageExt> got) {
        for (MessageExt message : got) {
            SendResult result = results.get(Sent.number(message));
            if (result == null) continue;
            String answered = result.getMessageQueue().getQueueId() + "@" + result.getQueueOffset() + " " + result.getMsgId() + " " + result.getOffsetMsgId();
            String found = message.getQueueId() + "@" + message.getQueueOffset() + " " + message.getMsgId() + " " + ((MessageClientExt) message).getOffsetMsgId();
            if (!answered.equals(found)) return "answered " + answered + ", found " + found;
        }
        return "";
    }

    private static String consecutive(List<MessageExt> got, SendResult result) {
        for (MessageExt message : got) {
            int n = Integer.parseInt(Sent.number(message));
            if (n < 200) continue;
            long expected = result.getQueueOffset() + n - 200;
            if (message.getQueueId() != 2 || message.getQueueOffset() != expected) return n + " is at " + message.getQueueId() + "@" + message.getQueueOffset() + ", not " + expected;
        }
        return "";
    }
}
