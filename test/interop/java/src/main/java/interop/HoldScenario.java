package interop;

import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Something for mqadmin to look at: topic T_hold with two queues and six messages, group G_hold that has consumed and committed them, producer
 * group P_hold. Both stay connected until standard input ends.
 */
final class HoldScenario {
    private HoldScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_hold", 2);
        DefaultMQProducer producer = cluster.producer("P_hold");
        Sent sent = new Sent();
        for (int n = 0; n < 6; n++) {
            SendResult result = producer.send(sent.make(topic, n < 4 ? "TagA" : "TagB", n), cluster.queue(topic, n % 2));
            Report.check("message " + n + " " + result.getMsgId() + " " + result.getOffsetMsgId(), "");
        }
        DefaultMQPushConsumer consumer = cluster.push("G_hold", topic, "TagA || TagB");
        List<MessageExt> got = PushScenario.keep(consumer);
        consumer.start();
        Report.same("hold: consumed", true, Report.until(60, () -> got.size() == 6));
        consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
        Report.check("client " + consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId(), "");
        Report.check("hold: ready", "");
        while (System.in.read() >= 0) { /* until the end of input */ }
        consumer.shutdown();
        producer.shutdown();
    }
}
