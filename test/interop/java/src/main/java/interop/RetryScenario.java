package interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;

/** A message that fails once comes again through the retry topic after ten seconds, the first retry level. */
final class RetryScenario {
    private RetryScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_retry", 2);
        cluster.topic("%RETRY%G_retry", 1); // else the client finds it by a timer of 20 s or more
        DefaultMQProducer producer = cluster.producer("P_retry");
        Sent sent = new Sent();
        List<MessageExt> got = Collections.synchronizedList(new ArrayList<>());
        Map<String, Long> failedAt = new ConcurrentHashMap<>();
        Map<String, Long> cameAgain = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = cluster.push("G_retry", topic, "TagA");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            MessageExt message = list.get(0);
            String n = Sent.number(message);
            if (Integer.parseInt(n) % 5 == 0 && message.getReconsumeTimes() == 0) {
                failedAt.put(n, System.currentTimeMillis());
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            }
            if (message.getReconsumeTimes() > 0) cameAgain.put(n, System.currentTimeMillis());
            got.add(message);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        List<String> numbers = new ArrayList<>();
        for (int n = 0; n < 10; n++) {
            producer.send(sent.make(topic, "TagA", n));
            numbers.add("" + n);
        }
        Report.until(75, () -> got.size() >= 10);
        Thread.sleep(500);
        Report.check("retry: everything is consumed once in the end, unchanged", sent.differs(numbers, new ArrayList<>(got)));
        Report.same("retry: the failed ones came again", failedAt.keySet(), cameAgain.keySet());
        Report.check("retry: reconsumeTimes and delay", delays(got, failedAt, cameAgain));
        consumer.shutdown();
        producer.shutdown();
    }

    private static String delays(List<MessageExt> got, Map<String, Long> failedAt, Map<String, Long> cameAgain) {
        for (MessageExt message : new ArrayList<>(got)) {
            String n = Sent.number(message);
            if (message.getReconsumeTimes() != (failedAt.containsKey(n) ? 1 : 0)) return n + " has reconsumeTimes " + message.getReconsumeTimes();
            if (!failedAt.containsKey(n) || !cameAgain.containsKey(n)) continue;
            long waited = cameAgain.get(n) - failedAt.get(n);
            if (waited < 9_000) return n + " came again after " + waited + " ms";
            if (message.getProperty("ORIGIN_MESSAGE_ID") == null) return n + " has no ORIGIN_MESSAGE_ID";
        }
        return "";
    }
}
