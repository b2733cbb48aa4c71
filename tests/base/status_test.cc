#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace tapedeck {
namespace {

TEST(Status, OkIsFreeToReturnAndHasNoMessage) {
  Status status = Status::Ok();
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.ToString(), "ok");
  EXPECT_EQ(sizeof(Status), sizeof(void*));
  EXPECT_TRUE(Status(StatusCode::kOk, "dropped").ok());
}

TEST(Status, EveryCodeHasItsWordAndItsNumber) {
  const std::pair<Status, std::string> cases[] = {
      {Status::InvalidArgument("m"), "invalid-argument: m"},
      {Status::NotFound("m"), "not-found: m"},
      {Status::AlreadyExists("m"), "already-exists: m"},
      {Status::Unavailable("m"), "unavailable: m"},
      {Status::ResourceExhausted("m"), "resource-exhausted: m"},
      {Status::FailedPrecondition("m"), "failed-precondition: m"},
      {Status::Corruption("m"), "corruption: m"},
      {Status::Cancelled("m"), "cancelled: m"},
      {Status::Internal("m"), "internal: m"},
  };
  int number = 1;
  for (const auto& [status, text] : cases) {
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.ToString(), text);
    EXPECT_EQ(static_cast<int>(status.code()), number++);
  }
}

TEST(Status, ContextGoesBeforeTheMessageAndLeavesOkAlone) {
  Status status = Status::Corruption("hash differs").WithContext("tape block quotes[3]@1042");
  EXPECT_EQ(status.ToString(), "corruption: tape block quotes[3]@1042: hash differs");
  EXPECT_TRUE(Status::Ok().WithContext("anything").ok());
}

TEST(Status, ACopyIsDeepAndAMoveLeavesOk) {
  Status a = Status::NotFound("a");
  Status b = a;
  a = Status::Internal("other");
  EXPECT_EQ(b.ToString(), "not-found: a");
  Status c = std::move(b);
  EXPECT_EQ(c.ToString(), "not-found: a");
  EXPECT_TRUE(b.ok());  // NOLINT: the state after a move is promised
  Status& self = c;
  c = self;
  EXPECT_EQ(c.ToString(), "not-found: a");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Status::InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  TD_ASSIGN_OR_RETURN(int half, Half(value));
  TD_ASSIGN_OR_RETURN(int quarter, Half(half));
  return quarter;
}

Status CheckHalf(int value) {
  TD_RETURN_IF_ERROR(Half(value).status());
  return Status::Ok();
}

TEST(Result, HoldsAValueOrAnError) {
  Result<int> good = Half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 4);
  EXPECT_EQ(good.value_or(-1), 4);
  EXPECT_TRUE(good.status().ok());
  Result<int> bad = Half(7);
  EXPECT_FALSE(bad.has_value());
  EXPECT_EQ(bad.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(bad.value_or(-1), -1);
}

TEST(Result, TheMacrosPassAnErrorOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_TRUE(CheckHalf(2).ok());
  EXPECT_FALSE(CheckHalf(3).ok());
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 5);
}

TEST(ResultDeathTest, TheValueOfAnErrorIsAProgrammerError) {
  EXPECT_DEATH((void)Half(7).value(), "holds an error");
  EXPECT_DEATH(Result<int>{Status::Ok()}, "needs an error");
  EXPECT_DEATH(TD_CHECK(1 + 1 == 3, "sums are right"),
               "check failed: 1 \\+ 1 == 3: sums are right");
}

}  // namespace
}  // namespace tapedeck
