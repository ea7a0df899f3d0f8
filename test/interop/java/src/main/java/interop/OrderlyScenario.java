package interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Orderly push consumers: locks at the broker, order in each queue, a suspended message comes again in its place. */
final class OrderlyScenario {
    private OrderlyScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_orderly", 4);
        DefaultMQProducer producer = cluster.producer("P_orderly");
        Sent sent = new Sent();
        List<MessageExt> got = Collections.synchronizedList(new ArrayList<>());
        Map<Integer, Set<Integer>> consumersOfQueue = new ConcurrentHashMap<>();
        AtomicBoolean suspended = new AtomicBoolean();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            int member = i;
            DefaultMQPushConsumer consumer = cluster.push("G_orderly", topic, "*");
            consumer.registerMessageListener((MessageListenerOrderly) (list, context) -> {
                MessageExt message = list.get(0);
                consumersOfQueue.computeIfAbsent(message.getQueueId(), q -> ConcurrentHashMap.newKeySet()).add(member);
                if (Sent.number(message).equals("20") && suspended.compareAndSet(false, true)) return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                got.addAll(list);
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumer.start();
            members.add(consumer);
        }
        Report.same("orderly: two members share four queues", true, Report.until(60, () ->
            members.stream().allMatch(member -> Cluster.owned(member, topic).size() == 2)));
        List<String> numbers = new ArrayList<>();
        for (int n = 0; n < 80; n++) {
            Message message = sent.make(topic, "TagA", n);
            producer.send(message, (queues, m, key) -> queues.get((int) key % queues.size()), n % 4);
            numbers.add("" + n);
        }
        Report.until(60, () -> got.size() >= 80);
        Thread.sleep(500);
        Report.check("orderly: everything arrives once, unchanged", sent.differs(numbers, new ArrayList<>(got)));
        Report.check("orderly: in order in each queue", inOrder(got));
        Report.same("orderly: one message was suspended once", true, suspended.get());
        Set<Set<Integer>> owners = new HashSet<>(consumersOfQueue.values());
        Report.same("orderly: one consumer a queue", true, consumersOfQueue.size() == 4 && owners.stream().allMatch(set -> set.size() == 1));
        for (DefaultMQPushConsumer member : members) member.shutdown();
        producer.shutdown();
    }

    private static String inOrder(List<MessageExt> got) {
        Map<Integer, Integer> last = new ConcurrentHashMap<>();
        for (MessageExt message : new ArrayList<>(got)) {
            int n = Integer.parseInt(Sent.number(message));
            Integer before = last.put(message.getQueueId(), n);
            if (before != null && before >= n) return n + " came after " + before + " in queue " + message.getQueueId();
        }
        return "";
    }
}
