package interop;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What was sent, by the user property "n", and how it differs from what arrived. */
final class Sent {
    final Map<String, Message> messages = new ConcurrentHashMap<>();

    /** A message with a number, user properties, a flag and a body that only this number has. */
    Message make(String topic, String tags, int n, int bodySize) {
        StringBuilder body = new StringBuilder("message " + n + " größe ");
        Random random = new Random(n);
        while (body.length() < bodySize) body.append(Integer.toHexString(random.nextInt(64))).append(" and so on; ");
        Message message = new Message(topic, tags, "key-" + n + " all", body.toString().getBytes(StandardCharsets.UTF_8));
        message.putUserProperty("n", String.valueOf(n));
        message.putUserProperty("color", n % 2 == 0 ? "blue" : "grün 你好");
        message.setFlag(n);
        messages.put(String.valueOf(n), message);
        return message;
    }

    Message make(String topic, String tags, int n) {
        return make(topic, tags, n, 20);
    }

    static String number(MessageExt message) {
        return message.getUserProperty("n");
    }

    /** '' when the received message is the sent one. */
    String differs(MessageExt got) {
        Message sent = messages.get(number(got));
        if (sent == null) return "unknown message " + got;
        List<String> wrong = new ArrayList<>();
        compare(wrong, "topic", sent.getTopic(), got.getTopic());
        compare(wrong, "tags", sent.getTags(), got.getTags());
        compare(wrong, "keys", sent.getKeys(), got.getKeys());
        compare(wrong, "flag", sent.getFlag(), got.getFlag());
        compare(wrong, "body", hash(sent.getBody()), hash(got.getBody()));
        for (String name : new String[] {"n", "color"}) compare(wrong, name, sent.getUserProperty(name), got.getUserProperty(name));
        return wrong.isEmpty() ? "" : "message " + number(got) + ": " + wrong;
    }

    /** Everything in {@code expected} arrived exactly once and unchanged, and nothing else did. */
    String differs(List<String> expected, List<MessageExt> got) {
        Map<String, Integer> times = new TreeMap<>();
        for (MessageExt message : got) {
            String difference = differs(message);
            if (!difference.isEmpty()) return difference;
            times.merge(number(message), 1, Integer::sum);
        }
        List<String> missing = new ArrayList<>(expected);
        missing.removeAll(times.keySet());
        if (!missing.isEmpty()) return "missing: " + missing;
        times.keySet().removeAll(expected.stream().filter(n -> times.get(n) == 1).toList());
        return times.isEmpty() ? "" : "unexpected or more than once: " + times;
    }

    private static void compare(List<String> wrong, String what, Object sent, Object got) {
        if (sent == null ? got != null : !sent.equals(got)) wrong.add(what + " sent " + sent + ", got " + got);
    }

    static String hash(byte[] body) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body)).substring(0, 16);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
