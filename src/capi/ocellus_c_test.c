/* The C API from C99, against the shared library and the demo model. Exit status 0: all is well. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <ocellus/ocellus_c.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

/* No error; tells which there is. */
#define CHECK_OK(call)                                              \
  do {                                                              \
    ocellus_error* const check_error = (call);                      \
    if (check_error != NULL) {                                      \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
              ocellus_error_get_message(check_error));              \
      ocellus_error_free(check_error);                              \
      ++failures;                                                   \
    }                                                               \
  } while (0)

/* An error of this code whose message has this text. */
#define CHECK_ERROR(call, code, text)                                                       \
  do {                                                                                      \
    ocellus_error* const check_error = (call);                                              \
    if (ocellus_error_get_code(check_error) != (code) ||                                    \
        strstr(ocellus_error_get_message(check_error), (text)) == NULL) {                   \
      fprintf(stderr, "%s:%d: %s: found %s: %s\n", __FILE__, __LINE__, #call,               \
              ocellus_error_get_name(check_error), ocellus_error_get_message(check_error)); \
      ++failures;                                                                           \
    }                                                                                       \
    ocellus_error_free(check_error);                                                        \
  } while (0)

static char picture[4096], model_path[4096];
static const char kQuestion[] = "How many objects are there?";

/* The whole answer; pieces are waited for as `wait_ms` says. */
static void read_answer(ocellus_stream* stream, int64_t wait_ms, char* answer, size_t size) {
  size_t used = 0;
  for (;;) {
    ocellus_piece piece = OCELLUS_PIECE_INIT;
    ocellus_error* const error = ocellus_stream_next(stream, wait_ms, &piece);
    if (error != NULL) {
      fprintf(stderr, "%s\n", ocellus_error_get_message(error));
      ocellus_error_free(error);
      ++failures;
      return;
    }
    if (piece.state == OCELLUS_STATE_END) return;
    if (piece.state == OCELLUS_STATE_PENDING) {
      CHECK(wait_ms >= 0 && piece.text_bytes == 0 && piece.ids_count == 0);
      continue;
    }
    CHECK(piece.text[piece.text_bytes] == '\0');
    CHECK(used + piece.text_bytes < size);
    memcpy(answer + used, piece.text, piece.text_bytes + 1);
    used += piece.text_bytes;
  }
}

static ocellus_ask_options greedy(void) {
  ocellus_ask_options options = OCELLUS_ASK_OPTIONS_INIT;
  options.temperature = 0;
  return options;
}

static void test_nothing_given(void) {
  CHECK(ocellus_error_get_code(NULL) == OCELLUS_ERROR_NONE);
  CHECK(strcmp(ocellus_error_get_name(NULL), "none") == 0);
  CHECK(strcmp(ocellus_error_get_message(NULL), "") == 0);
  ocellus_error_free(NULL);
  ocellus_registry_free(NULL);
  ocellus_model_free(NULL);
  ocellus_messages_free(NULL);
  ocellus_stream_free(NULL);
  ocellus_embedding_free(NULL);
  ocellus_model_shutdown(NULL);
  ocellus_stream_cancel(NULL);
  CHECK(ocellus_messages_count(NULL) == 0);
  CHECK(ocellus_embedding_rows(NULL) == 0 && ocellus_embedding_cols(NULL) == 0);
  CHECK(ocellus_embedding_data(NULL) == NULL && ocellus_embedding_mean(NULL) == NULL);

  const ocellus_error_code bad = OCELLUS_ERROR_INVALID_ARGUMENT;
  ocellus_model* model = NULL;
  ocellus_messages* messages = NULL;
  ocellus_stream* stream = NULL;
  ocellus_embedding* embedding = NULL;
  ocellus_model_options options = OCELLUS_MODEL_OPTIONS_INIT;
  ocellus_model_info info = OCELLUS_MODEL_INFO_INIT;
  ocellus_piece piece = OCELLUS_PIECE_INIT;
  ocellus_stats stats = OCELLUS_STATS_INIT;
  int64_t tokens = 7;
  CHECK_ERROR(ocellus_registry_create(NULL, NULL), bad, "registry: expected a pointer, found NULL");
  CHECK_ERROR(ocellus_model_open(NULL, &options, &model), bad, "registry");
  CHECK_ERROR(ocellus_model_load(NULL), bad, "model");
  CHECK_ERROR(ocellus_model_drain(NULL), bad, "model");
  CHECK_ERROR(ocellus_model_get_info(NULL, &info), bad, "model");
  CHECK_ERROR(ocellus_model_count_tokens(NULL, messages, &tokens), bad, "model");
  CHECK(tokens == 0);
  CHECK_ERROR(ocellus_model_ask(NULL, messages, NULL, &stream), bad, "model");
  CHECK_ERROR(ocellus_model_ask_picture(NULL, picture, kQuestion, NULL, &stream), bad, "model");
  CHECK_ERROR(ocellus_model_embed_picture(NULL, picture, &embedding), bad, "model");
  CHECK_ERROR(ocellus_model_embed_picture_bytes(NULL, "", 0, &embedding), bad, "model");
  CHECK_ERROR(ocellus_messages_create(NULL), bad, "messages");
  CHECK_ERROR(ocellus_messages_begin(NULL, OCELLUS_ROLE_USER), bad, "messages");
  CHECK_ERROR(ocellus_messages_add_text(NULL, ""), bad, "messages");
  CHECK_ERROR(ocellus_messages_truncate(NULL, 0), bad, "messages");
  CHECK_ERROR(ocellus_stream_next(NULL, 0, &piece), bad, "stream");
  CHECK_ERROR(ocellus_stream_read(NULL, NULL, NULL), bad, "stream");
  CHECK_ERROR(ocellus_stream_get_stats(NULL, &stats), bad, "stream");
  CHECK(model == NULL && stream == NULL && embedding == NULL);
}

static void test_messages(void) {
  const ocellus_error_code bad = OCELLUS_ERROR_INVALID_ARGUMENT;
  ocellus_messages* messages = NULL;
  CHECK_OK(ocellus_messages_create(&messages));
  CHECK_ERROR(ocellus_messages_add_text(messages, "early"), bad, "ocellus_messages_begin()");
  CHECK_ERROR(ocellus_messages_begin(messages, 7), bad, "role: expected 0 to 2, found 7");
  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_USER));
  CHECK_ERROR(ocellus_messages_add_text(messages, NULL), bad, "text");
  CHECK_ERROR(ocellus_messages_add_picture(messages, NULL), bad, "path_or_url");
  CHECK_ERROR(ocellus_messages_add_picture_bytes(messages, NULL, 1), bad, "bytes");
  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_ASSISTANT));
  CHECK(ocellus_messages_count(messages) == 2);
  CHECK_OK(ocellus_messages_truncate(messages, 5));
  CHECK(ocellus_messages_count(messages) == 2);
  CHECK_OK(ocellus_messages_truncate(messages, 1));
  CHECK(ocellus_messages_count(messages) == 1);
  ocellus_messages_free(messages);
}

static void test_structs(ocellus_registry* registry, ocellus_model* model) {
  const ocellus_error_code bad = OCELLUS_ERROR_INVALID_ARGUMENT;
  ocellus_registry* other = NULL;
  ocellus_registry_options registry_options = OCELLUS_REGISTRY_OPTIONS_INIT;
  registry_options.struct_size = 0;
  CHECK_ERROR(ocellus_registry_create(&registry_options, &other), bad, "struct_size");
  registry_options = (ocellus_registry_options)OCELLUS_REGISTRY_OPTIONS_INIT;
  registry_options.reserved = 1;
  CHECK_ERROR(ocellus_registry_create(&registry_options, &other), bad, "reserved");

  ocellus_model* opened = NULL;
  ocellus_model_options options = OCELLUS_MODEL_OPTIONS_INIT;
  CHECK_ERROR(ocellus_model_open(registry, NULL, &opened), bad, "options");
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "path");
  options.path = "/no/such/model";
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), OCELLUS_ERROR_MODEL_NOT_FOUND,
              "/no/such/model");
  options.weights = OCELLUS_WEIGHTS_Q2_K + 1;
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "weights: expected 0 to 15");
  options.weights = 0;
  options.max_sequences = -1;
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "max_sequences");
  options.max_sequences = 0;
  options.allow_hosts_count = 1;
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "allow_hosts");
  options.allow_hosts_count = 0;
  options.struct_size += 8;
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "struct_size: expected");
  options.struct_size = sizeof options - 4;
  CHECK_ERROR(ocellus_model_open(registry, &options, &opened), bad, "multiple of 8");
  CHECK(opened == NULL);
  /* The same model again, by a program that knows nothing after its path. */
  memset(&options, 0x5A, sizeof options);
  options.struct_size = offsetof(ocellus_model_options, mmproj);
  options.path = model_path;
  CHECK_OK(ocellus_model_open(registry, &options, &opened));
  CHECK_OK(ocellus_model_load(opened));

  /* Results: nothing is written beyond the caller's struct. */
  ocellus_model_info info = OCELLUS_MODEL_INFO_INIT;
  info.struct_size = offsetof(ocellus_model_info, image_size);
  info.image_size = -5;
  CHECK_OK(ocellus_model_get_info(opened, &info));
  CHECK(strncmp(info.architecture, "llava", 5) == 0 && strncmp(info.device, "cpu", 3) == 0);
  CHECK(info.image_size == -5 && info.struct_size == offsetof(ocellus_model_info, image_size));
  CHECK_ERROR(ocellus_model_get_info(opened, NULL), bad, "info");
  ocellus_model_free(opened);

  ocellus_stream* stream = NULL;
  ocellus_ask_options ask = OCELLUS_ASK_OPTIONS_INIT;
  ask.struct_size = 4;
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, kQuestion, &ask, &stream), bad,
              "struct_size");
  ask = greedy();
  ask.stop_count = 1;
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, kQuestion, &ask, &stream), bad, "stop");
  const char* const stops[2] = {"x", NULL};
  ask.stop = stops;
  ask.stop_count = 2;
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, kQuestion, &ask, &stream), bad, "stop[1]");
  CHECK_ERROR(ocellus_model_ask_picture(model, NULL, kQuestion, NULL, &stream), bad, "path_or_url");
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, NULL, NULL, &stream), bad, "question");
  CHECK_ERROR(ocellus_model_ask(model, NULL, NULL, &stream), bad, "messages");
  CHECK(stream == NULL);
  ask = greedy();
  ask.top_p = 3; /* told by the stream, as everything that the model's worker finds */
  ocellus_piece piece = OCELLUS_PIECE_INIT;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &ask, &stream));
  CHECK_ERROR(ocellus_stream_next(stream, -1, &piece), bad, "top_p");
  CHECK_ERROR(ocellus_stream_next(stream, -1, &piece), bad, "top_p");
  ocellus_stream_free(stream);
  /* An older program's options: what lies behind them is not read. */
  memset(&ask, 0x5A, sizeof ask);
  ask.struct_size = offsetof(ocellus_ask_options, top_k);
  ask.max_new_tokens = 1;
  ask.temperature = 0;
  ask.top_p = -1;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &ask, &stream));
  piece.struct_size = 1;
  CHECK_ERROR(ocellus_stream_next(stream, -1, &piece), bad, "struct_size");
  CHECK_ERROR(ocellus_stream_next(stream, -1, NULL), bad, "piece");
  char answer[256] = "";
  read_answer(stream, -1, answer, sizeof answer);
  CHECK(strlen(answer) > 0);
  ocellus_stream_free(stream);
}

static void test_turns(ocellus_model* model) {
  const ocellus_ask_options options = greedy();
  ocellus_messages* messages = NULL;
  CHECK_OK(ocellus_messages_create(&messages));
  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_USER));
  CHECK_OK(ocellus_messages_add_picture(messages, picture));
  CHECK_OK(ocellus_messages_add_text(messages, kQuestion));
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask(model, messages, &options, &stream));
  char first[256] = "", short_form[256] = "", second[256] = "";
  read_answer(stream, 1000, first, sizeof first);
  ocellus_stats stats = OCELLUS_STATS_INIT;
  CHECK_OK(ocellus_stream_get_stats(stream, &stats));
  CHECK(stats.generated_tokens > 0 && stats.prompt_tokens > stats.image_tokens);
  CHECK(stats.finish == OCELLUS_FINISH_STOP && stats.total_seconds > 0);
  CHECK_ERROR(ocellus_stream_get_stats(stream, NULL), OCELLUS_ERROR_INVALID_ARGUMENT, "stats");
  ocellus_stream_free(stream);
  int64_t tokens = 0;
  CHECK_OK(ocellus_model_count_tokens(model, messages, &tokens));
  CHECK(tokens == stats.prompt_tokens);

  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  read_answer(stream, 0, short_form, sizeof short_form);
  CHECK(strcmp(first, short_form) == 0);
  ocellus_stream_free(stream);

  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_ASSISTANT));
  CHECK_OK(ocellus_messages_add_text(messages, first));
  CHECK_ERROR(ocellus_model_ask(model, messages, &options, &stream), OCELLUS_ERROR_INVALID_ARGUMENT,
              "user");
  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_USER));
  CHECK_OK(ocellus_messages_add_text(messages, "What is at the top left?"));
  CHECK_OK(ocellus_model_ask(model, messages, &options, &stream));
  read_answer(stream, -1, second, sizeof second);
  CHECK(strlen(second) > 0);
  const int64_t before = stats.prompt_tokens;
  CHECK_OK(ocellus_stream_get_stats(stream, &stats));
  CHECK(stats.prompt_tokens > before);
  ocellus_stream_free(stream);
  ocellus_messages_free(messages);
}

static void test_logprobs(ocellus_model* model) {
  ocellus_ask_options options = greedy();
  options.logprobs = 1;
  options.top_logprobs = 3;
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  size_t seen = 0;
  for (;;) {
    ocellus_piece piece = OCELLUS_PIECE_INIT;
    CHECK_OK(ocellus_stream_next(stream, -1, &piece));
    if (piece.state != OCELLUS_STATE_PIECE) break;
    CHECK(piece.tokens_count == piece.ids_count);
    for (size_t i = 0; i < piece.tokens_count; ++i) {
      const ocellus_token* const token = &piece.tokens[i];
      CHECK(token->id == piece.ids[i]);
      CHECK(token->logprob <= 0 && token->top_count == 3);
      /* Greedy: the likeliest one was taken. */
      CHECK(token->top[0].id == token->id && token->top[0].logprob == token->logprob);
      CHECK(token->top[1].logprob <= token->top[0].logprob && token->top[1].top_count == 0);
      CHECK(token->text != NULL && token->text[token->text_bytes] == '\0');
      ++seen;
    }
  }
  CHECK(seen > 0);
  ocellus_stream_free(stream);

  /* A bias that no other token can beat. */
  const ocellus_logit_bias bias = {5, 100};
  options = greedy();
  options.logit_bias = &bias;
  options.logit_bias_count = 1;
  options.max_new_tokens = 2;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  for (;;) {
    ocellus_piece piece = OCELLUS_PIECE_INIT;
    CHECK_OK(ocellus_stream_next(stream, -1, &piece));
    if (piece.state != OCELLUS_STATE_PIECE) break;
    CHECK(piece.tokens == NULL && piece.tokens_count == 0);
    for (size_t i = 0; i < piece.ids_count; ++i) CHECK(piece.ids[i] == 5);
  }
  ocellus_stream_free(stream);
}

typedef struct {
  pthread_t caller;
  int calls, same_thread, last_stage, in_order;
  int stop_after;
} told;

static told begin_told(void) {
  told all;
  memset(&all, 0, sizeof all);
  all.caller = pthread_self();
  all.same_thread = all.in_order = 1;
  return all;
}

static void on_progress(void* user_data, ocellus_stage stage, int64_t done, int64_t total) {
  told* const all = user_data;
  ++all->calls;
  if (!pthread_equal(all->caller, pthread_self())) all->same_thread = 0;
  if ((int)stage < all->last_stage || done < 0 || done > total) all->in_order = 0;
  all->last_stage = (int)stage;
}

static int32_t on_piece(void* user_data, const ocellus_piece* piece) {
  told* const all = user_data;
  ++all->calls;
  if (!pthread_equal(all->caller, pthread_self())) all->same_thread = 0;
  CHECK(piece->state == OCELLUS_STATE_PIECE && piece->text != NULL);
  return all->calls == all->stop_after;
}

static void on_log(void* user_data, ocellus_log_level level, const char* message) {
  told* const all = user_data;
  ++all->calls;
  CHECK(level >= OCELLUS_LOG_DEBUG && level <= OCELLUS_LOG_ERROR && strlen(message) > 0);
}

static void test_callbacks(ocellus_model* model) {
  told progress = begin_told(), pieces = begin_told();
  ocellus_ask_options options = greedy();
  options.progress = on_progress;
  options.progress_data = &progress;
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  CHECK_ERROR(ocellus_stream_read(stream, NULL, NULL), OCELLUS_ERROR_INVALID_ARGUMENT, "callback");
  CHECK_OK(ocellus_stream_read(stream, on_piece, &pieces));
  ocellus_stream_free(stream); /* from here on the worker does not touch `progress` */
  CHECK(pieces.calls > 0 && pieces.same_thread);
  CHECK(progress.calls >= 2 && !progress.same_thread && progress.in_order);
  CHECK(progress.last_stage == OCELLUS_STAGE_PREFILL);

  pieces = begin_told();
  pieces.stop_after = 1;
  options = greedy();
  options.ignore_eos = 1;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  CHECK_ERROR(ocellus_stream_read(stream, on_piece, &pieces), OCELLUS_ERROR_CANCELLED, "callback");
  CHECK(pieces.calls == 1);
  ocellus_stream_free(stream);

  /* A refused URL is told to the log. */
  told log = begin_told();
  CHECK_OK(ocellus_set_log_callback(on_log, &log));
  const char* const refused = "http://127.0.0.1:9/a.png";
  for (int i = 0; i < 2; ++i) {
    ocellus_piece piece = OCELLUS_PIECE_INIT;
    CHECK_OK(ocellus_model_ask_picture(model, refused, kQuestion, NULL, &stream));
    CHECK_ERROR(ocellus_stream_next(stream, -1, &piece), OCELLUS_ERROR_FORBIDDEN, "80 or 443");
    ocellus_stream_free(stream);
    if (i == 0) CHECK(log.calls > 0);
    log.calls = 0;
    CHECK_OK(ocellus_set_log_callback(NULL, NULL));
  }
  CHECK(log.calls == 0);
}

static void test_response_format(ocellus_model* model) {
  static const char* const choices[] = {"cat", "dog"};
  ocellus_ask_options options = greedy();
  options.response_format = OCELLUS_RESPONSE_CHOICE;
  options.choices = choices;
  options.choice_count = 2;
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  char text[64] = "";
  ocellus_piece piece = OCELLUS_PIECE_INIT;
  do {
    CHECK_OK(ocellus_stream_next(stream, -1, &piece));
    if (piece.state == OCELLUS_STATE_PIECE)
      strncat(text, piece.text, sizeof text - strlen(text) - 1);
  } while (piece.state == OCELLUS_STATE_PIECE);
  CHECK(strcmp(text, "cat") == 0 || strcmp(text, "dog") == 0);
  ocellus_stream_free(stream);
  options.response_format = OCELLUS_RESPONSE_JSON_SCHEMA;
  options.response_text = "{\"type\":\"array\",\"contains\":{}}";
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream),
              OCELLUS_ERROR_INVALID_ARGUMENT, "json_schema.contains");
  options.response_format = 9;
  CHECK_ERROR(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream),
              OCELLUS_ERROR_INVALID_ARGUMENT, "response_format: expected 0 to 4");
}

static void* cancel_stream(void* stream) {
  ocellus_stream_cancel(stream);
  return NULL;
}

static void test_cancel(ocellus_model* model) {
  ocellus_ask_options options = greedy();
  options.ignore_eos = 1;
  options.max_new_tokens = 1 << 20;
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  ocellus_piece piece = OCELLUS_PIECE_INIT;
  CHECK_OK(ocellus_stream_next(stream, -1, &piece));
  pthread_t canceller;
  CHECK(pthread_create(&canceller, NULL, cancel_stream, stream) == 0);
  ocellus_error* error = NULL;
  do {
    error = ocellus_stream_next(stream, -1, &piece);
  } while (error == NULL && piece.state == OCELLUS_STATE_PIECE);
  CHECK_ERROR(error, OCELLUS_ERROR_CANCELLED, "");
  pthread_join(canceller, NULL);
  ocellus_stream_free(stream);
  /* Dropped, and the next one is answered. */
  CHECK_OK(ocellus_model_ask_picture(model, picture, kQuestion, &options, &stream));
  ocellus_stream_free(stream);
}

static void test_bytes_and_embeddings(ocellus_model* model) {
  static unsigned char bytes[1 << 20];
  FILE* const file = fopen(picture, "rb");
  CHECK(file != NULL);
  if (file == NULL) return;
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);

  ocellus_model_info info = OCELLUS_MODEL_INFO_INIT;
  CHECK_OK(ocellus_model_get_info(model, &info));
  ocellus_embedding *by_path = NULL, *by_bytes = NULL;
  CHECK_OK(ocellus_model_embed_picture(model, picture, &by_path));
  CHECK_OK(ocellus_model_embed_picture_bytes(model, bytes, size, &by_bytes));
  const int64_t rows = ocellus_embedding_rows(by_path), cols = ocellus_embedding_cols(by_path);
  CHECK(rows == info.image_tokens && cols > 0);
  CHECK(rows == ocellus_embedding_rows(by_bytes) && cols == ocellus_embedding_cols(by_bytes));
  const float* const data = ocellus_embedding_data(by_path);
  if (failures == 0) {
    CHECK(memcmp(data, ocellus_embedding_data(by_bytes), sizeof(float) * (size_t)(rows * cols)) ==
          0);
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += data[i * cols];
    CHECK(fabs(sum / (double)rows - ocellus_embedding_mean(by_path)[0]) < 1e-4);
  }
  ocellus_embedding_free(by_bytes);
  ocellus_embedding_free(by_path);
  CHECK_ERROR(ocellus_model_embed_picture_bytes(model, "not a picture", 13, &by_bytes),
              OCELLUS_ERROR_BAD_IMAGE, "");
  CHECK(by_bytes == NULL);

  ocellus_messages* messages = NULL;
  CHECK_OK(ocellus_messages_create(&messages));
  CHECK_OK(ocellus_messages_begin(messages, OCELLUS_ROLE_USER));
  CHECK_OK(ocellus_messages_add_picture_bytes(messages, bytes, size));
  CHECK_OK(ocellus_messages_add_text(messages, kQuestion));
  const ocellus_ask_options options = greedy();
  ocellus_stream* stream = NULL;
  CHECK_OK(ocellus_model_ask(model, messages, &options, &stream));
  ocellus_messages_free(messages); /* was copied */
  char answer[256] = "";
  read_answer(stream, -1, answer, sizeof answer);
  CHECK(strcmp(answer, "4") == 0);
  ocellus_stream_free(stream);
}

int main(void) {
  const char* const source = getenv("OCELLUS_SOURCE_DIR");
  if (source == NULL) return 2;
  snprintf(picture, sizeof picture, "%s/examples/pictures/scene.png", source);
  snprintf(model_path, sizeof model_path, "%s/models/demo", source);

  CHECK(strcmp(ocellus_version(), OCELLUS_VERSION_STRING) == 0);
  CHECK(ocellus_version_major() == OCELLUS_VERSION_MAJOR);
  CHECK(ocellus_version_minor() == OCELLUS_VERSION_MINOR);
  CHECK(ocellus_version_patch() == OCELLUS_VERSION_PATCH);
  test_nothing_given();
  test_messages();

  ocellus_registry* registry = NULL;
  ocellus_model* model = NULL;
  ocellus_registry_options registry_options = OCELLUS_REGISTRY_OPTIONS_INIT;
  registry_options.threads = 2;
  CHECK_OK(ocellus_registry_create(&registry_options, &registry));
  ocellus_model_options options = OCELLUS_MODEL_OPTIONS_INIT;
  options.path = model_path;
  CHECK_OK(ocellus_model_open(registry, &options, &model));
  CHECK_OK(ocellus_model_load(model));
  if (model != NULL) {
    test_structs(registry, model);
    test_turns(model);
    test_logprobs(model);
    test_callbacks(model);
    test_cancel(model);
    test_response_format(model);
    test_bytes_and_embeddings(model);
    /* A worker that was ended starts again. */
    CHECK_OK(ocellus_model_drain(model));
    CHECK_OK(ocellus_model_load(model));
    ocellus_model_shutdown(model);
    CHECK_OK(ocellus_model_load(model));
    ocellus_registry_free(registry); /* its models stay */
    test_turns(model);
  }
  ocellus_model_free(model);
  if (failures == 0) printf("all is well\n");
  return failures != 0;
}
