#ifndef TAPEDECK_BASE_STATUS_H_
#define TAPEDECK_BASE_STATUS_H_

// Status and Result<T>: the one error dialect of this project.
//
// A Status is OK (a null pointer, free to return) or a code with a message. A Result<T> is a T or a
// Status that is not OK. Both are [[nodiscard]]. The interface of Result is a subset of
// std::expected's, so that it can be replaced by it one day.
//
//   Result<Day> ParseDay(std::string_view text);
//
//   Status Close(std::string_view text) {
//     TD_ASSIGN_OR_RETURN(Day day, ParseDay(text));
//     TD_RETURN_IF_ERROR(store.Close(day));
//     return Status::Ok();
//   }
//
// The code says what the caller should do; see StatusCode. Messages are for people: what, where and
// what to do. Add context once per module boundary with WithContext("committing
// quotes[3]@1042..1980"). Never parse a message.
//
// Thread-compatible: const methods may be called from several threads at once.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace tapedeck {

enum class StatusCode : int {
  kOk = 0,
  kInvalidArgument = 1,     // the caller's input is wrong: do not retry, change it
  kNotFound = 2,            // what was asked for is not there
  kAlreadyExists = 3,       // what was to be made is there already
  kUnavailable = 4,         // passing trouble: retry the call
  kResourceExhausted = 5,   // a limit was met: slow down, free something
  kFailedPrecondition = 6,  // the state must be fixed before a retry makes sense
  kCorruption = 7,  // stored or received bytes are not what was written: stop, page somebody
  kCancelled = 8,   // somebody asked for it to end
  kInternal = 9,    // a defect of this program or of a library below it
};

/// The code as a word, such as "invalid-argument".
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message);
  Status(const Status& other) : state_(other.state_ ? new State(*other.state_) : nullptr) {}
  Status& operator=(const Status& other) {
    if (this != &other) state_.reset(other.state_ ? new State(*other.state_) : nullptr);
    return *this;
  }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status AlreadyExists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status ResourceExhausted(std::string m) {
    return {StatusCode::kResourceExhausted, std::move(m)};
  }
  static Status FailedPrecondition(std::string m) {
    return {StatusCode::kFailedPrecondition, std::move(m)};
  }
  static Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
  static Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

  bool ok() const { return state_ == nullptr; }
  StatusCode code() const { return state_ ? state_->code : StatusCode::kOk; }
  /// Empty when OK.
  std::string_view message() const { return state_ ? std::string_view(state_->message) : ""; }

  /// The same code with "context: " before the message; OK stays OK.
  Status WithContext(std::string_view context) const;

  /// "ok", or "corruption: tape block quotes[3]@1042: hash differs".
  std::string ToString() const;

 private:
  struct State {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<State> state_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::move(value)) {}        // NOLINT: implicit by intent
  Result(Status status) : state_(std::move(status)) {  // NOLINT: implicit by intent
    TD_CHECK(!std::get<Status>(state_).ok(), "a Result without a value needs an error");
  }

  bool ok() const { return std::holds_alternative<T>(state_); }
  bool has_value() const { return ok(); }
  explicit operator bool() const { return ok(); }

  /// The error; OK when there is a value.
  Status status() const& { return ok() ? Status::Ok() : std::get<Status>(state_); }
  Status status() && { return ok() ? Status::Ok() : std::move(std::get<Status>(state_)); }

  /// The value. Aborts when there is none: test ok() first.
  T& value() & { return Checked(); }
  const T& value() const& { return const_cast<Result*>(this)->Checked(); }
  T&& value() && { return std::move(Checked()); }
  T& operator*() & { return Checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->Checked(); }
  T&& operator*() && { return std::move(Checked()); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->Checked(); }

  template <typename U>
  T value_or(U&& other) const& {
    return ok() ? std::get<T>(state_) : static_cast<T>(std::forward<U>(other));
  }

 private:
  T& Checked() {
    TD_CHECK(ok(), "value() of a Result that holds an error");
    return std::get<T>(state_);
  }
  std::variant<T, Status> state_;
};

}  // namespace tapedeck

#define TD_CONCAT_INNER(a, b) a##b
#define TD_CONCAT(a, b) TD_CONCAT_INNER(a, b)

/// Returns the status from the enclosing function when it is not OK.
#define TD_RETURN_IF_ERROR(expression)           \
  do {                                           \
    ::tapedeck::Status td_status = (expression); \
    if (!td_status.ok()) [[unlikely]]            \
      return td_status;                          \
  } while (false)

/// TD_ASSIGN_OR_RETURN(Day day, ParseDay(text)); two statements: never the body of an `if` without
/// braces.
#define TD_ASSIGN_OR_RETURN(declaration, expression) \
  TD_ASSIGN_OR_RETURN_INNER(TD_CONCAT(td_result_, __LINE__), declaration, expression)
#define TD_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                      \
  if (!result.ok()) [[unlikely]]                                   \
    return std::move(result).status();                             \
  declaration = std::move(result).value()

#endif  // TAPEDECK_BASE_STATUS_H_
