#include "text/constraint/matcher.h"

#include <algorithm>
#include <utility>

#include "base/result.h"

namespace ocellus::text {
namespace {

using Op = Grammar::Op;

bool reads(Op op) { return op == Op::kByte || op == Op::kSwitch; }

// Letters first: where any character will do, an answer that was cut short should still be text.
constexpr auto kPreferred = [] {
  std::array<std::uint8_t, 256> order{};
  std::size_t n = 0;
  for (int c = 'a'; c <= 'z'; ++c) order[n++] = static_cast<std::uint8_t>(c);
  for (int c = 0; c < 256; ++c)
    if (c < 'a' || c > 'z') order[n++] = static_cast<std::uint8_t>(c);
  return order;
}();

}  // namespace

std::size_t Matcher::FrameHash::operator()(const Frame& f) const noexcept {
  std::uint64_t h = static_cast<std::uint32_t>(f.parent);
  h = h * 0x9E3779B97F4A7C15ull + static_cast<std::uint32_t>(f.place);
  h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9ull + f.count;
  return static_cast<std::size_t>((h ^ (h >> 32)) * 0x94D049BB133111EBull);
}

Matcher::Matcher(std::shared_ptr<const Grammar> grammar) : grammar_(std::move(grammar)) {
  frames_.emplace_back();
}

std::int32_t Matcher::push(Frame f) {
  const auto next = static_cast<std::int32_t>(frames_.size());
  const auto [it, is_new] = index_.try_emplace(f, next);
  if (!is_new) return it->second;
  const Kept& parent = frame(f.parent);
  Kept kept{.frame = f, .depth = parent.depth + 1};
  if (f.place >= 0) {
    kept.least = grammar_->least(f.place) + parent.least;
  } else {
    const Grammar::Loop& loop = grammar_->loop(~f.place);
    const std::uint64_t more = loop.min > f.count + 1 ? loop.min - f.count - 1 : 0;
    kept.least = (more > 0 ? more * grammar_->least(loop.body) : 0) + grammar_->least(loop.exit) +
                 parent.least;
  }
  kept.least = std::min(kept.least, Grammar::kNever);
  frames_.push_back(kept);
  return next;
}

// One instruction that reads nothing: what it leads to is more work.
void Matcher::follow_one(Reading r) {
  const Grammar& g = *grammar_;
  const Grammar::Instruction& i = g.at(r.pc);
  const Kept& top = frame(r.stack);
  const bool deep = top.depth >= kMaxDepth;
  switch (i.op) {
    case Op::kSplit: {
      std::uint64_t best = Grammar::kNever;
      if (deep)
        for (const Pc to : g.split(i.index)) best = std::min(best, g.least(to));
      for (const Pc to : g.split(i.index))
        if (g.least(to) < Grammar::kNever && (!deep || g.least(to) == best))
          work_.push_back({to, r.stack});
      return;
    }
    case Op::kCall:
      work_.push_back({g.rule(i.index), push({r.stack, i.next, 0})});
      return;
    case Op::kEnter:
      work_.push_back({g.loop(i.index).head, push({r.stack, ~i.index, 0})});
      return;
    case Op::kHead: {
      const Grammar::Loop& loop = g.loop(i.index);
      const std::uint32_t count = top.frame.count;
      const std::int32_t outside = top.frame.parent;
      const bool may_end = count >= loop.min;
      const bool possible = g.least(loop.body) < Grammar::kNever;
      if (count < loop.max && possible && !(deep && may_end)) work_.push_back({loop.body, r.stack});
      if (may_end) work_.push_back({loop.exit, outside});
      return;
    }
    case Op::kNext: {
      const Grammar::Loop& loop = g.loop(i.index);
      Frame next = top.frame;
      // Beyond what the loop asks for, only a limit makes counting worth while.
      if (next.count < loop.min || loop.max != Grammar::kUnlimited) ++next.count;
      work_.push_back({loop.head, push(next)});
      return;
    }
    case Op::kReturn:
      work_.push_back({top.frame.place, top.frame.parent});
      return;
    case Op::kAccept:
    case Op::kByte:
    case Op::kSwitch:
      return;
  }
}

// All the readings that `first` leads to without a byte.
void Matcher::follow(Reading first, State& to) {
  work_.assign(1, first);
  while (!work_.empty()) {
    const Reading r = work_.back();
    work_.pop_back();
    const Op op = grammar_->at(r.pc).op;
    if (reads(op) || op == Op::kAccept) {
      to.push_back(r);
    } else {
      // Only these come back to where they were.
      if (op == Op::kSplit || op == Op::kHead) {
        if (std::ranges::find(seen_, r) != seen_.end()) continue;
        seen_.push_back(r);
      }
      ++work_done_;
      follow_one(r);
    }
    if (to.size() + seen_.size() > kMaxReadings) {
      too_many_ = true;
      return;
    }
  }
}

Result<std::shared_ptr<const Grammar>> Matcher::runnable(
    Result<std::shared_ptr<const Grammar>> grammar, std::string_view what) {
  if (grammar && Matcher(*grammar).start().empty()) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: may begin in too many ways: expected less than {}", what,
                            kMaxReadings);
  }
  return grammar;
}

Matcher::State Matcher::start() {
  State state;
  seen_.clear();
  too_many_ = false;
  follow({grammar_->start(), 0}, state);
  if (too_many_) state.clear();
  return state;
}

void Matcher::step(const State& from, std::uint8_t byte, State& to) {
  to.clear();
  seen_.clear();
  work_done_ += from.size();
  too_many_ = false;
  for (const Reading& r : from) {
    const Grammar::Instruction& i = grammar_->at(r.pc);
    Pc next = -1;
    if (i.op == Op::kByte && i.byte == byte) next = i.next;
    if (i.op == Op::kSwitch) next = grammar_->table(i.index)[byte];
    if (next < 0 || grammar_->least(next) >= Grammar::kNever) continue;
    if (reads(grammar_->at(next).op)) {
      to.push_back({next, r.stack});
    } else {
      follow({next, r.stack}, to);
    }
  }
  if (too_many_) to.clear();
  if (to.size() > 1) {
    std::ranges::sort(to);
    to.erase(std::unique(to.begin(), to.end()), to.end());
  }
}

bool Matcher::accepts(const State& state) const {
  return std::ranges::any_of(
      state, [&](const Reading& r) { return grammar_->at(r.pc).op == Op::kAccept; });
}

bool Matcher::goes_on(const State& state) const {
  return std::ranges::any_of(state, [&](const Reading& r) { return reads(grammar_->at(r.pc).op); });
}

std::uint64_t Matcher::least(const Reading& r) const {
  return grammar_->least(r.pc) + frame(r.stack).least;
}

std::uint64_t Matcher::least(const State& state) const {
  std::uint64_t best = Grammar::kNever;
  for (const Reading& r : state) best = std::min(best, least(r));
  return best;
}

std::string Matcher::shortest_end(const State& state, std::size_t max) {
  std::string out;
  State now = state, next;
  while (!now.empty() && out.size() < max) {
    const Reading best =
        *std::ranges::min_element(now, {}, [&](const Reading& r) { return least(r); });
    const Grammar::Instruction& i = grammar_->at(best.pc);
    if (i.op == Op::kAccept) return out;
    std::uint8_t byte = i.byte;
    if (i.op == Op::kSwitch) {
      const Grammar::Table& table = grammar_->table(i.index);
      std::uint64_t nearest = Grammar::kNever;
      for (const std::uint8_t each : kPreferred) {
        if (table[each] < 0 || grammar_->least(table[each]) >= nearest) continue;
        nearest = grammar_->least(table[each]);
        byte = each;
      }
    }
    out += static_cast<char>(byte);
    step({best}, byte, next);
    std::swap(now, next);
  }
  return out;
}

std::string Matcher::forced(const State& state, std::size_t max) {
  std::string out;
  State now = state, next;
  while (!now.empty() && out.size() < max) {
    const Grammar::Instruction& first = grammar_->at(now.front().pc);
    if (first.op != Op::kByte) break;
    const bool alone = std::ranges::all_of(now, [&](const Reading& r) {
      const Grammar::Instruction& i = grammar_->at(r.pc);
      return i.op == Op::kByte && i.byte == first.byte;
    });
    if (!alone) break;
    out += static_cast<char>(first.byte);
    step(now, first.byte, next);
    std::swap(now, next);
  }
  return out;
}

void Matcher::forget_since(std::size_t mark) {
  for (std::size_t i = mark; i < frames_.size(); ++i) index_.erase(frames_[i].frame);
  frames_.resize(mark);
}

void Matcher::keep_only(State& state) {
  const std::vector<Kept> old = std::exchange(frames_, {});
  index_.clear();
  frames_.emplace_back();
  std::vector<std::int32_t> moved(old.size(), -1);
  moved[0] = 0;
  std::vector<std::int32_t> chain;
  for (Reading& r : state) {
    for (std::int32_t s = r.stack; moved[static_cast<std::size_t>(s)] < 0;
         s = old[static_cast<std::size_t>(s)].frame.parent)
      chain.push_back(s);
    for (; !chain.empty(); chain.pop_back()) {
      Frame f = old[static_cast<std::size_t>(chain.back())].frame;
      f.parent = moved[static_cast<std::size_t>(f.parent)];
      moved[static_cast<std::size_t>(chain.back())] = push(f);
    }
    r.stack = moved[static_cast<std::size_t>(r.stack)];
  }
}

}  // namespace ocellus::text
