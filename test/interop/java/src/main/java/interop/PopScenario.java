package interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;

/**
 * Two push consumers without client rebalance: the broker assigns, they pop and acknowledge. A message that fails is put aside for ten
 * seconds and comes again through the retry topic of the group and the topic.
 */
final class PopScenario {
    private PopScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_pop", 4);
        String group = "G_pop_" + cluster.run;
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(group);
        cluster.admin.createAndUpdateSubscriptionGroupConfig(cluster.brokerAddress, config);
        cluster.topic("%RETRY%G_pop", 1);
        cluster.admin.setMessageRequestMode(cluster.brokerAddress, topic, group, MessageRequestMode.POP, 0, 10_000);
        Sent sent = new Sent();
        List<MessageExt> got = Collections.synchronizedList(new ArrayList<>());
        Map<String, Long> failedAt = new ConcurrentHashMap<>();
        Map<String, Long> cameAgain = new ConcurrentHashMap<>();
        Set<String> members = ConcurrentHashMap.newKeySet();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            String member = "member " + i;
            DefaultMQPushConsumer consumer = cluster.push("G_pop", topic, "TagA || TagB");
            consumer.setClientRebalance(false);
            consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
                MessageExt message = list.get(0);
                String n = Sent.number(message);
                members.add(member);
                if (Integer.parseInt(n) % 10 == 0 && message.getReconsumeTimes() == 0) {
                    failedAt.put(n, System.currentTimeMillis());
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                if (message.getReconsumeTimes() > 0) cameAgain.put(n, System.currentTimeMillis());
                got.add(message);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            consumers.add(consumer);
        }
        // The broker assigns what it hears of; both ask every 20 s, and at once when the group changes.
        Report.until(60, () -> consumers.stream().allMatch(consumer -> pops(consumer, topic)));
        Thread.sleep(500);
        DefaultMQProducer producer = cluster.producer("P_pop");
        List<String> numbers = new ArrayList<>();
        for (int n = 0; n < 200; n++) {
            producer.send(sent.make(topic, n % 3 == 0 ? "TagA" : n % 3 == 1 ? "TagB" : "TagC", n));
            if (n % 3 != 2) numbers.add("" + n);
        }
        Report.until(90, () -> got.size() >= numbers.size());
        Thread.sleep(2000);
        Report.check("pop: everything subscribed to is consumed once in the end, unchanged", sent.differs(numbers, new ArrayList<>(got)));
        Report.same("pop: the failed ones came again", failedAt.keySet(), cameAgain.keySet());
        Report.check("pop: reconsumeTimes, delay and properties", again(got, topic, failedAt, cameAgain));
        Report.check("pop: both members got some", members.size() == 2 ? "" : "only " + members);
        Report.check("pop: they popped, nobody pulled", Cluster.owned(consumers.get(0), topic).isEmpty() ? "" : "pulls of " + topic);
        for (DefaultMQPushConsumer consumer : consumers) consumer.shutdown();
        producer.shutdown();
    }

    private static boolean pops(DefaultMQPushConsumer consumer, String topic) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getPopProcessQueueTable().keySet().stream()
            .anyMatch(queue -> queue.getTopic().equals(topic));
    }

    private static String again(List<MessageExt> got, String topic, Map<String, Long> failedAt, Map<String, Long> cameAgain) {
        for (MessageExt message : new ArrayList<>(got)) {
            String n = Sent.number(message);
            if (!message.getTopic().equals(topic)) return n + " has topic " + message.getTopic();
            if (message.getReconsumeTimes() != (failedAt.containsKey(n) ? 1 : 0)) return n + " has reconsumeTimes " + message.getReconsumeTimes();
            if (!failedAt.containsKey(n) || !cameAgain.containsKey(n)) continue;
            long waited = cameAgain.get(n) - failedAt.get(n);
            if (waited < 9_000) return n + " came again after " + waited + " ms";
            if (message.getProperty("1ST_POP_TIME") == null) return n + " has no 1ST_POP_TIME";
        }
        return "";
    }
}
