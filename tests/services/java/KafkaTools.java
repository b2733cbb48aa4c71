// The independent client of the tests: administers, fills and dumps a Kafka without any code of tapedeck.
//
//   KafkaTools admin   --bootstrap HOST:PORT [--config K=V]... serve
//   KafkaTools admin   --bootstrap HOST:PORT COMMAND WORD...
//   KafkaTools dump    --bootstrap HOST:PORT [--partition N] [--uncommitted] TOPIC
//   KafkaTools produce --bootstrap HOST:PORT [--config K=V]... [--report]
//
// See Admin, Dump and Produce for what they read and print. --config passes properties to the client.

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

public final class KafkaTools {
  // What the command line says beside the words.
  static final class Options {
    final Properties client = new Properties();
    final List<String> words = new ArrayList<>();
    Integer partition = null;
    boolean isUncommitted = false;
    boolean isReporting = false;
  }

  static final class UsageError extends RuntimeException {
    UsageError(String what) {
      super(what);
    }
  }

  public static void main(String[] arguments) throws Exception {
    try {
      if (arguments.length == 0) throw new UsageError("first word: admin, dump or produce");
      Options options = parse(Arrays.asList(arguments).subList(1, arguments.length));
      switch (arguments[0]) {
        case "admin" -> System.exit(Admin.run(options));
        case "dump" -> System.exit(Dump.run(options));
        case "produce" -> System.exit(Produce.run(options));
        default -> throw new UsageError("unknown tool '" + arguments[0] + "': admin, dump or produce");
      }
    } catch (UsageError error) {
      System.err.println("kafka tools: " + error.getMessage());
      System.exit(2);
    }
  }

  private static Options parse(List<String> arguments) {
    Options options = new Options();
    var next = arguments.iterator();
    while (next.hasNext()) {
      String word = next.next();
      switch (word) {
        case "--bootstrap" -> options.client.put("bootstrap.servers", value(word, next));
        case "--config" -> {
          String[] pair = value(word, next).split("=", 2);
          if (pair.length != 2) throw new UsageError("--config takes K=V");
          options.client.put(pair[0], pair[1]);
        }
        case "--partition" -> options.partition = Integer.valueOf(value(word, next));
        case "--uncommitted" -> options.isUncommitted = true;
        case "--report" -> options.isReporting = true;
        default -> {
          if (word.startsWith("--")) throw new UsageError("unknown option " + word);
          options.words.add(word);
        }
      }
    }
    if (!options.client.containsKey("bootstrap.servers")) {
      String named = System.getenv("TAPEDECK_KAFKA");
      if (named == null) throw new UsageError("--bootstrap HOST:PORT is missing (or TAPEDECK_KAFKA)");
      options.client.put("bootstrap.servers", named);
    }
    return options;
  }

  private static String value(String option, java.util.Iterator<String> next) {
    if (!next.hasNext()) throw new UsageError(option + " needs a value");
    return next.next();
  }

  private KafkaTools() {}
}
