package interop;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** The other end of pages and Workers: one message to them, one from each of them. */
final class BridgeScenario {
    private BridgeScenario() {}

    static void run(Cluster cluster) throws Exception {
        String toJava = cluster.topic("T_toJava", 4);
        String fromJava = cluster.topic("T_fromJava", 4);
        Map<String, MessageExt> got = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = cluster.push("G_toJava", toJava, "web");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) got.put(message.getUserProperty("runtime"), message);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();

        DefaultMQProducer producer = cluster.producer("P_fromJava");
        Message message = new Message(fromJava, "java", "k1 k2", "grüße from Java".getBytes("UTF-8"));
        message.putUserProperty("region", "eu");
        producer.send(message);

        Report.until(60, () -> got.size() == 2);
        for (String runtime : new String[] {"chromium", "workerd"}) {
            MessageExt one = got.get(runtime);
            Report.same("bridge: a message from " + runtime + " arrives with body, tag, keys and properties",
                "grüße from " + runtime + "|web|k1 k2|eu",
                one == null ? "nothing" : new String(one.getBody(), "UTF-8") + "|" + one.getTags() + "|" + one.getKeys() + "|" + one.getUserProperty("region"));
        }
        consumer.shutdown();
        producer.shutdown();
    }
}
