// /v1/status, /livez, /readyz, /healthz, /metrics, /openapi.json

#include <chrono>

#include "api/call.h"
#include "api/node_metrics.h"
#include "api/openapi.h"
#include "api/status_text.h"

namespace tapedeck {
namespace {

// A loop that was not seen for so long does not tick: a supervisor should start the process again.
constexpr std::chrono::nanoseconds kDeadSilence = std::chrono::minutes(5);

constexpr AnswerForm kJsonOnly[] = {AnswerForm::kJson};

HttpResponse Plain(std::string text) {
  return HttpResponse::Text(200, "text/plain; charset=utf-8", std::move(text));
}

Problem Not(ProblemType type, std::string detail) {
  return {type, std::move(detail), {}, 0, {}, {}};
}

}  // namespace

Answer JsonAnswer(const Call& call, std::string json) {
  if (!NegotiateForm(call.request->Header("Accept"), kJsonOnly).has_value()) {
    return Not(ProblemType::kNotAcceptable,
               "Accept leaves out what there is: json (application/json)");
  }
  HttpResponse response = HttpResponse::Text(200, "application/json", std::move(json));
  response.Set("Vary", "Accept-Encoding");
  return response;
}

Answer AnswerStatus(Call* call) {
  return JsonAnswer(*call, StatusText(*call->context, call->context->node->State()));
}

Answer AnswerLivez(Call* call) {
  const ServedNode& node = *call->context->node;
  if (node.phase() != ServedPhase::kRecording || node.silence() < kDeadSilence)
    return Plain("ok\n");
  // A full disk stalls it for as long as it is full, and it says so.
  if (!node.State().recorder.stall.empty()) return Plain("ok\n");
  return Not(ProblemType::kUnwell, "the record thread was not seen for five minutes");
}

Answer AnswerReadyz(Call* call) {
  const ServedPhase phase = call->context->node->phase();
  if (phase == ServedPhase::kRecording) return Plain("ok\n");
  return Not(ProblemType::kNotReady, "the node is " + std::string(ServedPhaseName(phase)));
}

Answer AnswerHealthz(Call* call) {
  const std::vector<HealthCheck> checks = CheckHealth(*call->context, call->context->node->State());
  std::string unwell;
  for (const HealthCheck& check : checks) {
    if (!check.reason.empty())
      unwell += (unwell.empty() ? "" : "; ") + check.name + ": " + check.reason;
  }
  if (unwell.empty()) return JsonAnswer(*call, "{\"status\":\"ok\"," + ChecksText(checks) + "}\n");
  Problem problem = Not(ProblemType::kUnwell, unwell);
  problem.extension = ChecksText(checks);
  return problem;
}

Answer AnswerMetrics(Call* call) {
  NodeMetrics* metrics = call->context->metrics;
  metrics->Collect(*call->context, call->context->node->State());
  return HttpResponse::Text(200, "text/plain; version=0.0.4; charset=utf-8",
                            metrics->registry()->Expose());
}

Answer AnswerOpenApi(Call* call) {
  Answer answer = JsonAnswer(*call, std::string(OpenApiJson()));
  if (HttpResponse* response = answer.response(); response != nullptr) {
    response->Set("Cache-Control", "no-cache");
  }
  return answer;
}

}  // namespace tapedeck
