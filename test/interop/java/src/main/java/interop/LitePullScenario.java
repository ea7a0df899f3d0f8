package interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Lite pull: assigned queue with every kind of seek and a commit, then a subscription. */
final class LitePullScenario {
    private LitePullScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_lite", 2);
        DefaultMQProducer producer = cluster.producer("P_lite");
        MessageQueue queue = cluster.queue(topic, 1);
        Sent sent = new Sent();
        for (int n = 0; n < 10; n++) producer.send(sent.make(topic, "TagA", n), queue);
        Thread.sleep(1200);
        long between = System.currentTimeMillis();
        Thread.sleep(1200);
        for (int n = 10; n < 20; n++) producer.send(sent.make(topic, "TagB", n), queue);

        DefaultLitePullConsumer consumer = cluster.litePull("G_lite");
        consumer.start();
        consumer.assign(List.of(queue));
        consumer.seekToBegin(queue);
        // A pull that is under way while the client seeks can still put its messages behind the seek: let the first ones pass.
        poll(consumer, 20);
        consumer.seekToBegin(queue);
        Report.check("litepull: seek to the beginning", sent.differs(numbers(0, 20), poll(consumer, 20)));
        consumer.seek(queue, 15);
        Report.check("litepull: seek to an offset", sent.differs(numbers(15, 20), poll(consumer, 5)));
        long offset = consumer.offsetForTimestamp(queue, between);
        Report.same("litepull: offset for a time", 10L, offset);
        consumer.seek(queue, offset);
        Report.check("litepull: seek to a time", sent.differs(numbers(10, 20), poll(consumer, 10)));
        consumer.commitSync();
        Report.until(10, () -> consumer.committed(queue) == 20);
        Report.same("litepull: committed offset", 20L, consumer.committed(queue));
        consumer.seekToEnd(queue);
        for (int n = 20; n < 25; n++) producer.send(sent.make(topic, "TagA", n), queue);
        Report.check("litepull: seek to the end, then only new messages", sent.differs(numbers(20, 25), poll(consumer, 5)));
        consumer.commitSync();
        Report.until(10, () -> consumer.committed(queue) == 25);
        consumer.shutdown();

        DefaultLitePullConsumer subscriber = cluster.litePull("G_lite_sub");
        subscriber.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        subscriber.subscribe(topic, "TagB");
        subscriber.start();
        Report.check("litepull: subscription with a tag", sent.differs(numbers(10, 20), poll(subscriber, 10)));
        subscriber.shutdown();
        producer.shutdown();
    }

    private static List<String> numbers(int from, int to) {
        List<String> list = new ArrayList<>();
        for (int n = from; n < to; n++) list.add("" + n);
        return list;
    }

    private static List<MessageExt> poll(DefaultLitePullConsumer consumer, int count) throws Exception {
        List<MessageExt> got = new ArrayList<>();
        Report.until(30, () -> got.addAll(consumer.poll(500)) && got.size() >= count);
        got.addAll(consumer.poll(700));
        return got;
    }
}
