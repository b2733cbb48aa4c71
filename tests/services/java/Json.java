// The little JSON that the tools need, over the Jackson that Kafka brings along.

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

final class Json {
  static final ObjectMapper MAPPER = new ObjectMapper();

  static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  static ArrayNode array() {
    return MAPPER.createArrayNode();
  }

  static JsonNode parse(String line) throws IOException {
    JsonNode node = MAPPER.readTree(line);
    if (node == null || !node.isObject()) throw new IOException("not a JSON object: " + line);
    return node;
  }

  static String quoted(String text) {
    return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
  }

  // The bytes of `<name>_b64`, or the UTF-8 of `<name>`; null where both are absent or null.
  static byte[] bytes(JsonNode object, String name) {
    JsonNode encoded = object.get(name + "_b64");
    if (encoded != null && !encoded.isNull()) return Base64.getDecoder().decode(encoded.asText());
    JsonNode text = object.get(name);
    if (text != null && !text.isNull()) return text.asText().getBytes(java.nio.charset.StandardCharsets.UTF_8);
    return null;
  }

  static Map<String, String> strings(JsonNode object) {
    Map<String, String> map = new LinkedHashMap<>();
    if (object != null && object.isObject()) {
      object.properties().forEach(entry -> map.put(entry.getKey(), entry.getValue().asText()));
    }
    return map;
  }

  static String text(JsonNode object, String name) {
    JsonNode value = object.get(name);
    if (value == null || value.isNull()) throw new IllegalArgumentException("\"" + name + "\" is missing");
    return value.asText();
  }

  static long number(JsonNode object, String name) {
    JsonNode value = object.get(name);
    if (value == null || !value.canConvertToLong()) {
      throw new IllegalArgumentException("\"" + name + "\" is missing or not a number");
    }
    return value.asLong();
  }

  private Json() {}
}
