package interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;

/** Queries by key, by unique id and by offset id. */
final class QueryScenario {
    private QueryScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_query", 2);
        DefaultMQProducer producer = cluster.producer("P_query");
        Sent sent = new Sent();
        List<SendResult> results = new ArrayList<>();
        List<String> all = new ArrayList<>();
        for (int n = 0; n < 12; n++) {
            results.add(producer.send(sent.make(topic, "TagA", n)));
            all.add("" + n);
        }
        Report.until(15, () -> byKey(producer, topic, "all").size() == 12);
        Report.check("query: by a key that every message has", sent.differs(all, byKey(producer, topic, "all")));
        Report.check("query: by a key of one message", sent.differs(List.of("7"), byKey(producer, topic, "key-7")));
        Report.same("query: a key that nothing has", 0, byKey(producer, topic, "key-none").size());
        SendResult result = results.get(3);
        Report.check("query: by unique id", sent.differs(List.of("3"), List.of(producer.viewMessage(topic, result.getMsgId()))));
        Report.check("query: by offset id", sent.differs(List.of("3"), List.of(producer.viewMessage(topic, result.getOffsetMsgId()))));
        Report.same("query: limit", 5, producer.queryMessage(topic, "all", 5, 0, Long.MAX_VALUE).getMessageList().size());
        long max = 0;
        for (int q = 0; q < 2; q++) max += producer.maxOffset(cluster.queue(topic, q));
        Report.same("query: max offsets add up", 12L, max);
        Report.same("query: min offset", 0L, producer.minOffset(cluster.queue(topic, 0)));
        Report.same("query: offset of a time long ago", 0L, producer.searchOffset(cluster.queue(topic, 0), 1000));
        Report.same("query: earliest store time is recent", true, Math.abs(producer.earliestMsgStoreTime(cluster.queue(topic, 0)) - System.currentTimeMillis()) < 120_000);
        producer.shutdown();
    }

    private static List<MessageExt> byKey(DefaultMQProducer producer, String topic, String key) throws Exception {
        try {
            QueryResult result = producer.queryMessage(topic, key, 32, 0, Long.MAX_VALUE);
            return result.getMessageList();
        } catch (MQClientException e) {
            return List.of(); // "no message" is an exception in this client
        }
    }
}
