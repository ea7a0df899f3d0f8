package interop;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.MessageExt;

/** Bodies over 4 KiB are compressed by the producer and stored so. */
final class CompressionScenario {
    private CompressionScenario() {}

    static void run(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_zip", 1);
        DefaultMQProducer producer = cluster.producer("P_zip");
        Sent sent = new Sent();
        for (CompressionType type : CompressionType.values()) {
            producer.setCompressType(type);
            producer.send(sent.make(topic, type.name(), type.getValue(), 20_000));
        }
        List<MessageExt> got = PushScenario.collect(cluster, "G_zip", topic, "*", 3);
        Report.check("compression: zlib, lz4 and zstd bodies arrive unchanged", sent.differs(new ArrayList<>(sent.messages.keySet()), got));
        StringBuilder wrong = new StringBuilder();
        for (MessageExt message : got) {
            if (message.getStoreSize() > 15_000) wrong.append(message.getTags()).append(" is stored in ").append(message.getStoreSize()).append(" bytes; ");
            int type = message.getSysFlag() >> 8 & 7; // 1 lz4, 2 zstd, 3 zlib
            if (type != CompressionType.valueOf(message.getTags()).getValue()) wrong.append(message.getTags()).append(" has type ").append(type).append("; ");
        }
        Report.check("compression: stored compressed, with its type", wrong.toString());
        producer.shutdown();
    }
}
