#include "compute/cpu/attention/attention.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "base/result.h"
#include "compute/cpu/pool/row_tiles.h"

namespace ocellus::compute::cpu {
namespace {

// Bytes of queries and outputs of one task: they stay in the L2, and converting a block costs
// little beside so many rows (512 of 128).
constexpr std::int64_t kTaskBytes = 480 << 10;
// Query heads of rows that are worth a task where threads would have none.
constexpr std::int64_t kMinQueries = 96;
constexpr std::int64_t kRowsAhead = 12;
// Up to so many queries are split by ranges of slots instead.
constexpr std::int64_t kSplitQueries = 32;
constexpr std::int64_t kRangePositions = std::int64_t{kRangeBlocks} * kKvBlockTokens;
constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

// Some rows of a sequence over some ranges of slots, for each key-value head.
struct Task {
  const SequenceRows* sequence;
  std::int64_t first, rows;              // of the sequence's rows
  std::int64_t first_range, last_range;  // inclusive
  std::int64_t partial = -1;             // index of its first partial record; -1: it finishes alone
  bool bf16;
};

// Slots [from, to).
struct Span {
  std::int64_t from, to;
};

// Neighbouring key-value heads of a task: what a thread takes.
struct Unit {
  const Task* task;
  std::int64_t first_head, heads;
};

class Attention {
 public:
  Attention(const AttentionCall& call, int threads)
      : tables_(call.tables),
        threads_(threads),
        shape_(call.shape),
        layout_(call.layout),
        layer_(call.layer),
        causal_(call.causal),
        q_(call.q),
        out_(call.out),
        group_(call.shape.heads / call.shape.kv_heads),
        stride_(static_cast<int>(call.layout.value_stride())),
        record_(kStateFixed + stride_) {}

  void add(const SequenceRows& sequence) {
    if (sequence.rows == 0) return;
    const bool bf16 = shape_.arithmetic == Arithmetic::kReducedPrecision && !sequence.decode &&
                      tables_.bf16 != nullptr;
    const std::int64_t last_row = sequence.rows - 1;
    const std::int64_t first_range = seen(sequence, 0).from / kRangePositions,
                       last_range = (seen(sequence, last_row).to - 1) / kRangePositions;
    if (sequence.rows * group_ <= kSplitQueries && first_range < last_range) {
      splits_.push_back({&sequence, 0, sequence.rows, first_range, last_range, partials_, bf16});
      for (std::int64_t range = first_range; range <= last_range; ++range) {
        tasks_.push_back({&sequence, 0, sequence.rows, range, range, partials_, bf16});
        partials_ += shape_.kv_heads * sequence.rows * group_;
      }
    } else {
      const std::int64_t count = task_count(sequence.rows * group_, bf16);
      const std::int64_t each = divide_up(sequence.rows, count);
      for (std::int64_t first = 0; first < sequence.rows; first += each) {
        const std::int64_t rows = std::min(each, sequence.rows - first);
        tasks_.push_back({&sequence, first, rows, seen(sequence, first).from / kRangePositions,
                          (seen(sequence, first + rows - 1).to - 1) / kRangePositions, -1, bf16});
      }
    }
  }

  Status run(ThreadPool& pool, CpuWorkspace& workspace) {
    // The longest first: no thread waits long for the last.
    std::ranges::stable_sort(tasks_, std::greater(), [&](const Task& task) {
      return task.rows * (seen(*task.sequence, task.first + task.rows - 1).to);
    });
    make_units();
    OCELLUS_ASSIGN_OR_RETURN(
        std::byte* const memory,
        workspace.take(CpuWorkspace::kScores,
                       scratch_bytes() * static_cast<std::size_t>(pool.threads())));
    OCELLUS_ASSIGN_OR_RETURN(
        std::byte* const partial_memory,
        workspace.take(CpuWorkspace::kPartials,
                       static_cast<std::size_t>(partials_ * record_) * sizeof(float)));
    auto* const partials = reinterpret_cast<float*>(partial_memory);
    pool.run(std::ssize(units_), [&](std::int64_t index, int thread) {
      run_unit(units_[static_cast<std::size_t>(index)],
               memory + scratch_bytes() * static_cast<std::size_t>(thread), partials);
    });
    pool.run(std::ssize(splits_) * shape_.kv_heads, [&](std::int64_t index, int) {
      merge_split(splits_[static_cast<std::size_t>(index / shape_.kv_heads)],
                  index % shape_.kv_heads, partials);
    });
    return {};
  }

 private:
  // Tasks of a sequence's queries of one head: enough to keep each in the L2, and for all threads.
  std::int64_t task_count(std::int64_t queries, bool bf16) const {
    const std::int64_t query_bytes =
        record_ * std::int64_t{sizeof(float)} + query_stride() * (bf16 ? 2 : 4);
    const std::int64_t enough = divide_up(2 * std::int64_t{threads_}, shape_.kv_heads);
    return std::max(divide_up(queries * query_bytes, kTaskBytes),
                    std::min(enough, divide_up(queries, kMinQueries)));
  }

  // Few queries are bounded by reading memory, which is faster where heads of a block are read
  // together. Every thread has several units all the same.
  void make_units() {
    constexpr std::int64_t kUnitsOfThread = 4;
    std::int64_t reading = 0;
    for (const Task& task : tasks_) reading += reads(task) ? shape_.kv_heads : 0;
    const std::int64_t max = std::max<std::int64_t>(1, reading / (kUnitsOfThread * threads_));
    for (const Task& task : tasks_) {
      const std::int64_t queries = task.rows * group_;
      const std::int64_t each =
          reads(task) ? std::clamp<std::int64_t>(kSplitQueries / queries, 1, max) : 1;
      for (std::int64_t head = 0; head < shape_.kv_heads; head += each) {
        const std::int64_t heads = std::min(each, shape_.kv_heads - head);
        units_.push_back({&task, head, heads});
        max_queries_ = std::max(max_queries_, heads * queries);
      }
      max_rows_ = std::max(max_rows_, task.rows);
    }
  }
  bool reads(const Task& task) const { return !task.bf16 && task.rows * group_ <= kSplitQueries; }

  // Slots that row i of a sequence sees. Neither end lies before that of an earlier row.
  Span seen(const SequenceRows& sequence, std::int64_t i) const {
    if (!causal_) return {0, sequence.first_slot + sequence.rows};
    const SlotRange span = seen_slots(shape_, sequence, i);
    return {span.begin, span.end};
  }

  std::size_t scratch_bytes() const {
    const std::int64_t floats = max_queries_ * (query_stride() + 2 * record_) +
                                (shape_.head_dim + 1 + stride_) * kKvBlockTokens;
    return static_cast<std::size_t>(divide_up(floats, kLanes) * kLanes) * sizeof(float) +
           static_cast<std::size_t>(span_bytes(max_rows_ * group_));
  }
  static std::int64_t span_bytes(std::int64_t queries) {
    return divide_up(queries * std::int64_t{sizeof(Span)}, 64) * 64;
  }
  int query_stride() const { return static_cast<int>(divide_up(shape_.head_dim, 32) * 32); }

  float unit(bool bf16) const { return bf16 ? kLn2 : 1.0f; }

  void pack_queries(const Task& task, std::int64_t kv_head, float* to) const {
    const std::int64_t first_row = task.sequence->first_row + task.first,
                       first_col = kv_head * group_ * shape_.head_dim;
    for (std::int64_t i = 0; i < task.rows * group_; ++i) {
      const float* const from =
          q_.row(first_row + i / group_) + first_col + i % group_ * shape_.head_dim;
      // Rows are far apart: the hardware does not prefetch the next ones.
      const float* const ahead =
          q_.row(first_row + std::min(i / group_ + kRowsAhead, task.rows - 1)) + first_col +
          i % group_ * shape_.head_dim;
      for (std::int64_t d = 0; d < shape_.head_dim; d += 16) __builtin_prefetch(ahead + d);
      if (task.bf16) {
        tables_.bf16->pack_query(from, static_cast<int>(shape_.head_dim), shape_.scale * kLog2E,
                                 reinterpret_cast<std::uint16_t*>(to) + i * query_stride());
      } else {
        std::memcpy(to + i * query_stride(), from,
                    static_cast<std::size_t>(shape_.head_dim) * sizeof(float));
      }
    }
  }

  // Sets the operands of a block, converted where that pays.
  void take_block(const Task& task, std::int64_t kv_head, std::int64_t block, float* panels,
                  AttentionBlock& args) const {
    const SequenceRows& sequence = *task.sequence;
    const KvLayout::Head head = stored(task, kv_head, block);
    args.key_scales = head.key_scales;
    args.value_scales = head.value_scales;
    args.keys = args.next_keys = head.keys;
    args.values = head.values;
    args.element = layout_.element();
    // Slots after the sequence's end were perhaps never written.
    const std::int64_t written = std::min<std::int64_t>(
        kKvBlockTokens, sequence.first_slot + sequence.rows - block * kKvBlockTokens);
    const int dim = static_cast<int>(shape_.head_dim);
    float* const values = panels + (shape_.head_dim + 1) * kKvBlockTokens;
    if (args.element == KvElement::kPairs) return;
    if (task.bf16) {
      tables_.bf16->pack_pairs(args.element, head.keys, dim, kKvBlockTokens,
                               reinterpret_cast<std::uint16_t*>(panels));
      tables_.bf16->pack_pairs(args.element, head.values, static_cast<int>(written), stride_,
                               reinterpret_cast<std::uint16_t*>(values));
    } else if (args.element != KvElement::kF32 && task.rows * group_ > kF32AttentionRows) {
      tables_.f32->expand(args.element, head.keys, shape_.head_dim * kKvBlockTokens, panels);
      tables_.f32->expand(args.element, head.values, written * stride_, values);
      args.element = KvElement::kF32;
    } else {
      return;
    }
    args.keys = reinterpret_cast<const std::uint8_t*>(panels);
    args.values = reinterpret_cast<const std::uint8_t*>(values);
  }

  // All rows of the task against one block.
  void run_block(const Task& task, std::int64_t block, const Span* spans, const float* queries,
                 float* state, AttentionBlock& args) const {
    const std::int64_t base = block * kKvBlockTokens;
    const RowTiles tiles(task.rows * group_, task.bf16 ? kBf16AttentionRows : kF32AttentionRows);
    for (std::int64_t tile = 0; tile < tiles.count(); ++tile) {
      const std::int64_t first = tiles.first(tile);
      args.rows = tiles.rows(tile);
      const Span begin = spans[first], end = spans[first + args.rows - 1];
      if (begin.from >= base + kKvBlockTokens || end.to <= base) continue;
      args.unmasked = end.from <= base && begin.to >= base + kKvBlockTokens;
      args.first_block =
          block == std::max(begin.from / kKvBlockTokens, block / kRangeBlocks * kRangeBlocks);
      if (!args.unmasked || !task.bf16) {
        for (int r = 0; r < args.rows; ++r) {
          const Span span = spans[first + r];
          args.from[r] =
              static_cast<int>(std::clamp<std::int64_t>(span.from - base, 0, kKvBlockTokens));
          args.to[r] =
              static_cast<int>(std::clamp<std::int64_t>(span.to - base, 0, kKvBlockTokens));
        }
      }
      args.q = task.bf16
                   ? static_cast<const void*>(reinterpret_cast<const std::uint16_t*>(queries) +
                                              first * query_stride())
                   : queries + first * query_stride();
      args.state = state + first * record_;
      (task.bf16 ? tables_.bf16->block : tables_.f32->block)(args);
    }
  }

  void run_unit(const Unit& unit, std::byte* scratch, float* partials) const {
    const Task& task = *unit.task;
    const std::int64_t count = task.rows * group_, all = count * unit.heads;
    auto* const spans = reinterpret_cast<Span*>(scratch);
    for (std::int64_t i = 0; i < count; ++i)
      spans[i] = seen(*task.sequence, task.first + i / group_);
    // One head after another: queries, states, merged records.
    auto* const queries = reinterpret_cast<float*>(scratch + span_bytes(count));
    float* const state = queries + all * query_stride();
    float* const merged = state + all * record_;
    float* const panels = merged + all * record_;
    AttentionBlock args{};
    args.head_dim = static_cast<int>(shape_.head_dim);
    args.stride = stride_;
    args.scale = shape_.scale;
    args.q_stride = query_stride();
    args.state_stride = static_cast<int>(record_);
    for (std::int64_t h = 0; h < unit.heads; ++h)
      pack_queries(task, unit.first_head + h, queries + h * count * query_stride());
    const std::int64_t from = seen(*task.sequence, task.first).from,
                       to = seen(*task.sequence, task.first + task.rows - 1).to;
    for (std::int64_t range = task.first_range; range <= task.last_range; ++range) {
      if (!task.bf16) {
        std::fill_n(state, all * record_, 0.0f);
        for (std::int64_t i = 0; i < all; ++i)
          state[i * record_ + kStateMax] = -std::numeric_limits<float>::infinity();
      }
      const std::int64_t first = std::max(from / kKvBlockTokens, range * kRangeBlocks),
                         end = std::min(divide_up(to, kKvBlockTokens), (range + 1) * kRangeBlocks);
      for (std::int64_t block = first; block < end; ++block) {
        for (std::int64_t h = 0; h < unit.heads; ++h) {
          take_block(task, unit.first_head + h, block, panels, args);
          const bool last_head = h + 1 == unit.heads;
          if (const std::int64_t next = block + (last_head ? 1 : 0); next < end)
            args.next_keys = stored(task, unit.first_head + (last_head ? 0 : h + 1), next).keys;
          run_block(task, block, spans, queries + h * count * query_stride(),
                    state + h * count * record_, args);
        }
      }
      for (std::int64_t h = 0; h < unit.heads; ++h) {
        close_range(task, unit.first_head + h, range,
                    {spans, state + h * count * record_, merged + h * count * record_, partials});
      }
    }
    if (task.partial >= 0 || task.first_range == task.last_range) return;
    for (std::int64_t i = 0; i < all; ++i)
      finish(task, unit.first_head + i / count, i % count, merged + i * record_);
  }

  KvLayout::Head stored(const Task& task, std::int64_t kv_head, std::int64_t block) const {
    return layout_.head(task.sequence->blocks[static_cast<std::size_t>(block)], layer_, kv_head);
  }

  // The records of one key-value head of a task, [rows * group_] each.
  struct HeadRecords {
    const Span* spans;
    float* state;
    float* merged;
    float* partials;
  };
  void close_range(const Task& task, std::int64_t kv_head, std::int64_t range,
                   const HeadRecords& records) const {
    const auto& [spans, state, merged, partials] = records;
    for (std::int64_t i = 0; i < task.rows * group_; ++i) {
      float* const record = state + i * record_;
      const Span span = spans[i];
      if (!sees(span, range)) continue;
      (task.bf16 ? tables_.bf16->close : tables_.f32->close)(record);
      if (task.partial >= 0) {
        copy(record, partials + partial_of(task, kv_head, i) * record_);
      } else if (task.first_range == task.last_range) {
        finish(task, kv_head, i, record);
      } else {
        merge(record, range == span.from / kRangePositions, task.bf16, merged + i * record_);
      }
    }
  }

  static bool sees(Span span, std::int64_t range) {
    return span.from < (range + 1) * kRangePositions && span.to > range * kRangePositions;
  }
  void copy(const float* record, float* to) const {
    std::memcpy(to, record, static_cast<std::size_t>(record_) * sizeof(float));
  }
  // Merges the ranges of a row, in order.
  void merge(const float* record, bool first, bool bf16, float* merged) const {
    first ? copy(record, merged) : tables_.f32->merge(record, stride_, unit(bf16), merged);
  }
  std::int64_t partial_of(const Task& task, std::int64_t kv_head, std::int64_t query) const {
    return task.partial + kv_head * task.rows * group_ + query;
  }
  void finish(const Task& task, std::int64_t kv_head, std::int64_t query,
              const float* merged) const {
    (task.bf16 ? tables_.bf16->finish : tables_.f32->finish)(
        merged, static_cast<int>(shape_.head_dim),
        out_.row(task.sequence->first_row + task.first + query / group_) +
            (kv_head * group_ + query % group_) * shape_.head_dim);
  }

  void merge_split(const Task& split, std::int64_t kv_head, float* partials) const {
    const std::int64_t count = split.rows * group_;
    for (std::int64_t i = 0; i < count; ++i) {
      const Span span = seen(*split.sequence, i / group_);
      float* merged = nullptr;
      for (std::int64_t range = split.first_range; range <= split.last_range; ++range) {
        if (!sees(span, range)) continue;
        float* const record = partials + (partial_of(split, kv_head, i) +
                                          (range - split.first_range) * shape_.kv_heads * count) *
                                             record_;
        if (merged == nullptr) {
          merged = record;
        } else {
          tables_.f32->merge(record, stride_, unit(split.bf16), merged);
        }
      }
      finish(split, kv_head, i, merged);
    }
  }

  const AttentionTables& tables_;
  const int threads_;
  const AttentionShape& shape_;
  const KvLayout& layout_;
  const std::int64_t layer_;
  const bool causal_;
  const ConstMatrix q_;
  const Matrix out_;
  const std::int64_t group_;
  const int stride_;
  const std::int64_t record_;
  std::vector<Task> tasks_, splits_;
  std::vector<Unit> units_;
  std::int64_t partials_ = 0, max_rows_ = 0, max_queries_ = 0;
};

}  // namespace

Status attend(const AttentionCall& call, ThreadPool& pool, CpuWorkspace& workspace) {
  Attention attention(call, pool.threads());
  for (const SequenceRows& sequence : call.sequences) attention.add(sequence);
  return attention.run(pool, workspace);
}

}  // namespace ocellus::compute::cpu
