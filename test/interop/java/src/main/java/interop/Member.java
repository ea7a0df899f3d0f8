package interop;

import java.io.PrintStream;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;

/** A group member in a process of its own: prints "got N" per message and "owns Q Q …" when its queues change. Runs until it is killed. */
public final class Member {
    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        Report.takeOverStandardOutput();
        String topic = args[2];
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("G_rebalance_" + args[1]);
        consumer.setNamesrvAddr(args[0]);
        consumer.setInstanceName(Cluster.instance());
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            synchronized (out) {
                list.forEach(message -> out.println("got " + Sent.number(message)));
                out.flush();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        for (String last = ""; ; Thread.sleep(50)) {
            String owns = Cluster.owned(consumer, topic).stream().map(q -> "" + q.getQueueId()).collect(Collectors.joining(" "));
            if (owns.equals(last)) continue;
            synchronized (out) {
                out.println("owns " + owns);
                out.flush();
            }
            last = owns;
        }
    }
}
