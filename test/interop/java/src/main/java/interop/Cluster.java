package interop;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** The cluster under test: makes topics and clients, each client an instance (and so a connection) of its own. */
final class Cluster {
    private static final AtomicInteger INSTANCES = new AtomicInteger();
    final String nameServer;
    /** Distinguishes topics and groups of this run from those of earlier ones. */
    final String run;
    final DefaultMQAdminExt admin;
    final String brokerName;
    final String brokerAddress;

    Cluster(String nameServer, String run) throws Exception {
        this.nameServer = nameServer;
        this.run = run;
        admin = new DefaultMQAdminExt(20_000);
        admin.setNamesrvAddr(nameServer);
        admin.setInstanceName("admin");
        admin.start();
        ClusterInfo info = admin.examineBrokerClusterInfo();
        brokerName = info.getBrokerAddrTable().keySet().iterator().next();
        brokerAddress = info.getBrokerAddrTable().get(brokerName).getBrokerAddrs().get(0L);
    }

    static String instance() {
        return "i" + ProcessHandle.current().pid() + "-" + INSTANCES.incrementAndGet();
    }

    /** Creates a topic and waits until the name server knows its route. */
    String topic(String name, int queues) throws Exception {
        String topic = name + "_" + run;
        admin.createAndUpdateTopicConfig(brokerAddress, new TopicConfig(topic, queues, queues, 6));
        Report.until(20, () -> {
            try {
                return admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getReadQueueNums() == queues;
            } catch (MQClientException e) {
                return false;
            }
        });
        return topic;
    }

    MessageQueue queue(String topic, int id) {
        return new MessageQueue(topic, brokerName, id);
    }

    DefaultMQProducer producer(String group) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group + "_" + run);
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName(instance());
        producer.setSendMsgTimeout(10_000);
        producer.start();
        return producer;
    }

    DefaultMQPushConsumer push(String group, String topic, String expression) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group + "_" + run);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        consumer.subscribe(topic, expression);
        return consumer;
    }

    DefaultLitePullConsumer litePull(String group) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group + "_" + run);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instance());
        consumer.setAutoCommit(false);
        return consumer;
    }

    /** Queues a push consumer works on at the moment (retry queues aside). */
    static List<MessageQueue> owned(DefaultMQPushConsumer consumer, String topic) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().entrySet().stream()
            .filter(e -> e.getKey().getTopic().equals(topic) && !e.getValue().isDropped())
            .map(java.util.Map.Entry::getKey).sorted().toList();
    }
}
