package interop;

import com.alibaba.fastjson2.JSON;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/** Runs mqadmin commands one after the other in this process: a JSON array of arguments per input line, a JSON object per output line. */
public final class AdminRunner {
    public static void main(String[] args) throws Exception {
        Hurry.start(Thread.currentThread());
        PrintStream out = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            List<String> command = JSON.parseArray(line, String.class);
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            PrintStream capture = new PrintStream(written, true, StandardCharsets.UTF_8);
            System.setOut(capture);
            System.setErr(capture);
            String thrown = "";
            try {
                forgetCommands();
                MQAdminStartup.main0(command.toArray(new String[0]), null);
            } catch (Throwable e) {
                thrown = e.toString();
            }
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("out", written.toString(StandardCharsets.UTF_8));
            answer.put("thrown", thrown);
            out.println(JSON.toJSONString(answer));
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    /** mqadmin is made for one command a process: a command object that is used again would use its closed client again. */
    private static void forgetCommands() throws IllegalAccessException {
        for (Field field : MQAdminStartup.class.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) || !List.class.isAssignableFrom(field.getType())) continue;
            field.setAccessible(true);
            ((List<?>) field.get(null)).clear();
        }
    }
}
