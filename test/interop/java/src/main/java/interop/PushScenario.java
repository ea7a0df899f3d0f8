package interop;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** Push consumers: tag filter, clustering, broadcasting, going on after a restart. */
final class PushScenario {
    private PushScenario() {}

    /** Registers a listener that keeps everything it gets. */
    static List<MessageExt> keep(DefaultMQPushConsumer consumer) {
        List<MessageExt> got = Collections.synchronizedList(new ArrayList<>());
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            got.addAll(list);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        return got;
    }

    /** Consumes from the first offset until {@code count} messages came, and then a second longer for any too many. */
    static List<MessageExt> collect(Cluster cluster, String group, String topic, String expression, int count) throws Exception {
        DefaultMQPushConsumer consumer = cluster.push(group, topic, expression);
        List<MessageExt> got = keep(consumer);
        consumer.start();
        Report.until(60, () -> got.size() >= count);
        Thread.sleep(1000);
        consumer.shutdown();
        return new ArrayList<>(got);
    }

    private static List<String> send(DefaultMQProducer producer, Sent sent, String topic, int from, int to) throws Exception {
        List<String> numbers = new ArrayList<>();
        for (int n = from; n < to; n++) {
            producer.send(sent.make(topic, List.of("TagA", "TagB", "TagC").get(n % 3), n));
            numbers.add("" + n);
        }
        return numbers;
    }

    static void tags(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_tags", 4);
        DefaultMQProducer producer = cluster.producer("P_tags");
        Sent sent = new Sent();
        DefaultMQPushConsumer one = cluster.push("G_tags", topic, "TagA || TagB");
        DefaultMQPushConsumer two = cluster.push("G_tags", topic, "TagA || TagB");
        List<MessageExt> first = keep(one);
        List<MessageExt> second = keep(two);
        one.start();
        two.start();
        boolean balanced = Report.until(40, () -> Cluster.owned(one, topic).size() == 2 && Cluster.owned(two, topic).size() == 2);
        Report.same("tags: two members share four queues", true, balanced);
        List<String> numbers = send(producer, sent, topic, 0, 60);
        List<String> wanted = numbers.stream().filter(n -> Integer.parseInt(n) % 3 != 2).toList();
        Report.until(30, () -> first.size() + second.size() >= wanted.size());
        Thread.sleep(1000);
        List<MessageExt> got = new ArrayList<>(first);
        got.addAll(second);
        Report.check("tags: exactly the subscribed tags arrive, once in the group", sent.differs(wanted, got));
        Report.same("tags: both members got some", true, !first.isEmpty() && !second.isEmpty());
        String retryTopic = "%RETRY%G_tags_" + cluster.run;
        Report.same("tags: the group's retry topic has a route", 1, cluster.admin.examineTopicRouteInfo(retryTopic).getQueueDatas().size());
        one.shutdown();
        two.shutdown();
        producer.shutdown();
    }

    static void broadcasting(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_broadcast", 4);
        DefaultMQProducer producer = cluster.producer("P_broadcast");
        Sent sent = new Sent();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        List<List<MessageExt>> got = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            DefaultMQPushConsumer member = cluster.push("G_broadcast", topic, "*");
            member.setMessageModel(MessageModel.BROADCASTING);
            got.add(keep(member));
            member.start();
            members.add(member);
        }
        Report.until(40, () -> members.stream().allMatch(member -> Cluster.owned(member, topic).size() == 4));
        List<String> numbers = send(producer, sent, topic, 0, 30);
        Report.until(30, () -> got.stream().allMatch(list -> list.size() >= 30));
        Thread.sleep(1000);
        Report.check("broadcasting: the first member gets everything once", sent.differs(numbers, new ArrayList<>(got.get(0))));
        Report.check("broadcasting: the second member gets everything once", sent.differs(numbers, new ArrayList<>(got.get(1))));
        for (DefaultMQPushConsumer member : members) member.shutdown();
        producer.shutdown();
    }

    static void resume(Cluster cluster) throws Exception {
        String topic = cluster.topic("T_resume", 2);
        DefaultMQProducer producer = cluster.producer("P_resume");
        Sent sent = new Sent();
        List<String> before = send(producer, sent, topic, 0, 20);
        Report.check("resume: the backlog arrives", sent.differs(before, collect(cluster, "G_resume", topic, "*", 20)));
        List<String> after = send(producer, sent, topic, 20, 30);
        Report.check("resume: a restarted group goes on where it stopped", sent.differs(after, collect(cluster, "G_resume", topic, "*", 10)));
        producer.shutdown();
    }
}
