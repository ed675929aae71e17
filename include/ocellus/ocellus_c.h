/* Ocellus for C (C99), and for languages that call C: questions about pictures, answered natively.
   The same model as ocellus.h, which says more about what each setting means.

   Errors. A function that can fail returns NULL for success, or an error that the caller frees with
   ocellus_error_free(). Results come through pointers; where a function fails they are set to NULL,
   0 or, for structs, left as they were. NULL where a pointer is required is an error
   (OCELLUS_ERROR_INVALID_ARGUMENT), except for functions named _free, _cancel and _shutdown, which
   do nothing then. No C++ exception leaves the library, and none may leave a callback.

   Texts are UTF-8. Where there is no size beside them they end with a NUL.

   Structs begin with struct_size, which the caller sets to sizeof of the struct as it was compiled;
   the _INIT macros do. A smaller size is an older program's: settings beyond it have their
   defaults, results beyond it are not written. A size that is larger than the library's own, or no
   multiple of 8, is an error. Structs have no padding; reserved fields are 0.

   Threads. Registry and model: any thread, at the same time. Messages, and reading a stream: one
   thread at a time. Where a callback comes from is said at its type. */
#ifndef OCELLUS_C_H
#define OCELLUS_C_H

#include <stddef.h>
#include <stdint.h>

#include "ocellus/export.h"
#include "ocellus/ocellus_version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ocellus_error ocellus_error;
typedef struct ocellus_registry ocellus_registry;   /* models of a program, and their threads */
typedef struct ocellus_model ocellus_model;         /* a model owned by one worker thread */
typedef struct ocellus_messages ocellus_messages;   /* a conversation */
typedef struct ocellus_stream ocellus_stream;       /* an answer as it is being made */
typedef struct ocellus_embedding ocellus_embedding; /* what a model makes of a picture */

/* ---- Version: of the library that the program runs with; the macros of ocellus_version.h are the
   one that it was compiled with. ---- */

OCELLUS_API const char* ocellus_version(void); /* "0.1.0" */
OCELLUS_API int32_t ocellus_version_major(void);
OCELLUS_API int32_t ocellus_version_minor(void);
OCELLUS_API int32_t ocellus_version_patch(void);

/* ---- Errors ---- */

typedef enum ocellus_error_code {
  OCELLUS_ERROR_NONE = -1,            /* of NULL */
  OCELLUS_ERROR_INVALID_ARGUMENT = 0, /* a bad option, an empty question, an unknown name */
  OCELLUS_ERROR_NOT_FOUND = 1,        /* a file that is not there */
  OCELLUS_ERROR_BAD_IMAGE = 2,        /* cannot be decoded, or is beyond a limit */
  OCELLUS_ERROR_BAD_MODEL = 3,        /* damaged, inconsistent or of an unknown kind */
  OCELLUS_ERROR_UNSUPPORTED = 4,      /* well formed, but a feature that this build lacks */
  OCELLUS_ERROR_FORBIDDEN = 5,        /* an image URL that may not be fetched */
  OCELLUS_ERROR_FETCH_FAILED = 6,     /* an image URL that could not be fetched */
  OCELLUS_ERROR_CONTEXT_FULL = 7,     /* prompt and pictures do not fit in the model's context */
  OCELLUS_ERROR_UNAVAILABLE = 8,      /* mailbox full, or no worker; may work later */
  OCELLUS_ERROR_OUT_OF_MEMORY = 9,    /* an allocation failed */
  OCELLUS_ERROR_CANCELLED = 10,       /* the caller cancelled */
  OCELLUS_ERROR_DEADLINE_EXCEEDED = 11,
  OCELLUS_ERROR_IO = 12,             /* reading or writing a file failed */
  OCELLUS_ERROR_INTERNAL = 13,       /* a defect of the library */
  OCELLUS_ERROR_MODEL_NOT_FOUND = 14 /* a model that is not there, or a part of it */
} ocellus_error_code;

/* Of NULL: OCELLUS_ERROR_NONE, "none" and "". The texts live as long as the error. */
OCELLUS_API ocellus_error_code ocellus_error_get_code(const ocellus_error* error);
OCELLUS_API const char* ocellus_error_get_name(const ocellus_error* error);    /* "bad_image" */
OCELLUS_API const char* ocellus_error_get_message(const ocellus_error* error); /* one line */
OCELLUS_API void ocellus_error_free(ocellus_error* error);

/* ---- Log: without a sink the library tells nobody what it notices, and it never prints. ---- */

typedef enum ocellus_log_level {
  OCELLUS_LOG_DEBUG = 0,
  OCELLUS_LOG_INFO = 1,
  OCELLUS_LOG_WARNING = 2,
  OCELLUS_LOG_ERROR = 3
} ocellus_log_level;

/* Called from any thread, one call at a time. Must be short and must not call into Ocellus. The
   message is one line and lives until the callback returns. */
typedef void (*ocellus_log_callback)(void* user_data, ocellus_log_level level, const char* message);

/* Replaces the process's sink; NULL: none. When it returns, the old one is not called any more. */
OCELLUS_API ocellus_error* ocellus_set_log_callback(ocellus_log_callback callback, void* user_data);

/* ---- Registry: make one per process. ---- */

typedef struct ocellus_registry_options {
  size_t struct_size;
  int32_t threads; /* compute threads that all models share; 0: as many as there are cores */
  int32_t reserved;
} ocellus_registry_options;

#define OCELLUS_REGISTRY_OPTIONS_INIT \
  { sizeof(ocellus_registry_options), 0, 0 }

/* options NULL: the defaults. */
OCELLUS_API ocellus_error* ocellus_registry_create(const ocellus_registry_options* options,
                                                   ocellus_registry** registry);
/* Models that were opened from it stay. */
OCELLUS_API void ocellus_registry_free(ocellus_registry* registry);

/* ---- Models ---- */

/* How weights are held in memory, and so how they are multiplied: WeightType in options.h. */
typedef enum ocellus_weights {
  OCELLUS_WEIGHTS_AUTO = 0, /* as stored */
  OCELLUS_WEIGHTS_F32 = 1,
  OCELLUS_WEIGHTS_F16 = 2,
  OCELLUS_WEIGHTS_BF16 = 3,
  OCELLUS_WEIGHTS_Q8 = 4,
  OCELLUS_WEIGHTS_Q4 = 5,
  OCELLUS_WEIGHTS_Q8_0 = 6,
  OCELLUS_WEIGHTS_Q6_K = 7,
  OCELLUS_WEIGHTS_Q5_K = 8,
  OCELLUS_WEIGHTS_Q5_1 = 9,
  OCELLUS_WEIGHTS_Q5_0 = 10,
  OCELLUS_WEIGHTS_Q4_K = 11,
  OCELLUS_WEIGHTS_Q4_1 = 12,
  OCELLUS_WEIGHTS_Q4_0 = 13,
  OCELLUS_WEIGHTS_Q3_K = 14,
  OCELLUS_WEIGHTS_Q2_K = 15
} ocellus_weights;

/* How keys and values are kept. */
typedef enum ocellus_kv_type {
  OCELLUS_KV_AUTO = 0, /* f32 beside weights that are multiplied in f32, else f16 */
  OCELLUS_KV_F32 = 1,
  OCELLUS_KV_F16 = 2,
  OCELLUS_KV_Q8 = 3
} ocellus_kv_type;

/* What happens to a picture that is not square. */
typedef enum ocellus_preprocess {
  OCELLUS_PREPROCESS_MODEL = 0, /* what the model's own files say */
  OCELLUS_PREPROCESS_CROP = 1,
  OCELLUS_PREPROCESS_PAD = 2
} ocellus_preprocess;

/* Called from the model's worker thread while it loads; must be short and must not call into
   Ocellus. fraction: 0 to 1. Handles of one model share the callback of the first; its user data
   lives until the last one is freed. */
typedef void (*ocellus_load_callback)(void* user_data, double fraction, const char* stage);

typedef struct ocellus_model_options {
  size_t struct_size;
  const char* path;   /* required: a Hugging Face folder, a GGUF model, or a packed model */
  const char* mmproj; /* tower and projector of a GGUF language model; NULL: beside it, or none */
  int32_t weights;    /* an ocellus_weights */
  int32_t tower_weights;
  int32_t preprocess;          /* an ocellus_preprocess */
  int32_t kv_type;             /* an ocellus_kv_type */
  const char* prompt_template; /* a known name or a template text; NULL: the model's own */
  float temperature;           /* below 0: what the model's files say */
  int32_t kv_cache;            /* 0: everything is computed again for each token */
  int64_t max_new_tokens;      /* 0: what the model's files say */
  int64_t context_tokens;      /* 0: as much as the model allows, at most 4096 */
  int32_t speculation; /* 0: one token a step, also where the text repeats itself; same text */
  int32_t allow_urls;  /* 0: http and https pictures are refused */
  const char* const* allow_hosts; /* "HOST[:PORT]" or "CIDR": not public, but allowed */
  size_t allow_hosts_count;
  int64_t mailbox_capacity; /* requests waiting; more are refused; 0: 8 */
  int64_t max_sequences;    /* requests that are answered at the same time; 0: 8 */
  int64_t slice_ms; /* the longest work on prompts and pictures between two tokens; 0: 100 */
  ocellus_load_callback progress; /* NULL: nobody is told */
  void* progress_data;
  int64_t prefix_cache_bytes; /* of prompts, kept after their answers; 0: none; -1: 1 GiB */
  /* not 0: where the model's files ask for beams or another search that is not built, sample
     instead of refusing the model */
  int32_t sample_instead;
  int32_t reserved;
  /* of one picture, for models where the picture decides: at most so many tiles, or tokens; 0: as
     the model's files say, but of models that take a picture in its own size at most 1280 tokens */
  int64_t max_tiles;
  int64_t image_tokens; /* -1: as the model's files say, always */
  int64_t
      min_image_tokens; /* at least so many, where small pictures are enlarged; 0: as the files */
} ocellus_model_options;

#define OCELLUS_MODEL_OPTIONS_INIT                                                                 \
  {                                                                                                \
    sizeof(ocellus_model_options), NULL, NULL, 0, 0, 0, 0, NULL, -1.0f, 1, 0, 0, 1, 1, NULL, 0, 0, \
        0, 0, NULL, NULL, -1, 0, 0, 0, 0, 0                                                        \
  }

/* Checks that the path is there; loading waits for ocellus_model_load() or the first question. The
   same path with the same settings gives the same model, which each handle shares. */
OCELLUS_API ocellus_error* ocellus_model_open(ocellus_registry* registry,
                                              const ocellus_model_options* options,
                                              ocellus_model** model);
/* The last handle to go stops the worker: answers that are still being made fail. */
OCELLUS_API void ocellus_model_free(ocellus_model* model);

/* Loads now, if nobody has yet, and waits. A failed load can be tried again. */
OCELLUS_API ocellus_error* ocellus_model_load(ocellus_model* model);
/* Ends the worker: running answers get OCELLUS_ERROR_UNAVAILABLE. A later call loads again. */
OCELLUS_API void ocellus_model_shutdown(ocellus_model* model);
/* Ends the worker as soon as everything that was asked before is answered; returns at once.
   OCELLUS_ERROR_UNAVAILABLE when the mailbox is full: try again. */
OCELLUS_API ocellus_error* ocellus_model_drain(ocellus_model* model);

typedef struct ocellus_model_info {
  size_t struct_size;
  const char* architecture; /* "llava: clip 24x1024 + llama 32x4096"; lives as long as the handle */
  const char* device;       /* "cpu: avx512, 2 threads"; the same */
  int64_t image_size;       /* pixels: the square that the tower takes */
  int64_t image_tokens;     /* what one picture costs */
  int64_t context_tokens;
  int64_t vocabulary;
  int64_t parameters;
  int64_t weight_bytes;
  int64_t max_new_tokens;
  float temperature;
  int32_t reserved;
} ocellus_model_info;

#define OCELLUS_MODEL_INFO_INIT \
  { sizeof(ocellus_model_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0.0f, 0 }

/* Loads, if needed. */
OCELLUS_API ocellus_error* ocellus_model_get_info(ocellus_model* model, ocellus_model_info* info);

/* ---- Conversations: messages of text and pictures, in any order. ---- */

typedef enum ocellus_role {
  OCELLUS_ROLE_SYSTEM = 0,
  OCELLUS_ROLE_USER = 1,
  OCELLUS_ROLE_ASSISTANT = 2
} ocellus_role;

OCELLUS_API ocellus_error* ocellus_messages_create(ocellus_messages** messages);
OCELLUS_API void ocellus_messages_free(ocellus_messages* messages);

/* Begins a message of an ocellus_role. The functions below add a part to the last one begun. */
OCELLUS_API ocellus_error* ocellus_messages_begin(ocellus_messages* messages, int32_t role);
OCELLUS_API ocellus_error* ocellus_messages_add_text(ocellus_messages* messages, const char* text);
/* http://, https:// and data: are URLs, all else is a path. Read when a model is asked. */
OCELLUS_API ocellus_error* ocellus_messages_add_picture(ocellus_messages* messages,
                                                        const char* path_or_url);
/* An encoded picture (JPEG, PNG, WebP, GIF, BMP); copied. */
OCELLUS_API ocellus_error* ocellus_messages_add_picture_bytes(ocellus_messages* messages,
                                                              const void* bytes, size_t size);
/* How many messages have been begun; 0 of NULL. */
OCELLUS_API size_t ocellus_messages_count(const ocellus_messages* messages);
/* Takes the last messages away, so that `count` are left. */
OCELLUS_API ocellus_error* ocellus_messages_truncate(ocellus_messages* messages, size_t count);

/* How many tokens the conversation takes as a prompt, pictures included. Reads the pictures. */
OCELLUS_API ocellus_error* ocellus_model_count_tokens(ocellus_model* model,
                                                      const ocellus_messages* messages,
                                                      int64_t* tokens);

/* ---- Questions ---- */

/* Where a question is on its way to its first token. */
typedef enum ocellus_stage {
  OCELLUS_STAGE_QUEUE = 0,  /* taken from the mailbox */
  OCELLUS_STAGE_FETCH = 1,  /* pictures read or downloaded */
  OCELLUS_STAGE_DECODE = 2, /* pictures decoded and preprocessed */
  OCELLUS_STAGE_TOWER = 3,  /* pictures encoded */
  OCELLUS_STAGE_PREFILL = 4 /* tokens of the prompt computed */
} ocellus_stage;

/* Called from the model's worker thread, in the order of the stages; must be short and must not
   call into Ocellus. Not called any more once ocellus_stream_free() has returned, or
   ocellus_model_ask() where it fails. done of total: pictures, or of the last stage tokens. */
typedef void (*ocellus_progress_callback)(void* user_data, ocellus_stage stage, int64_t done,
                                          int64_t total);

typedef struct ocellus_logit_bias {
  int32_t id;
  float bias; /* -100 to 100, added to the token's logit */
} ocellus_logit_bias;

/* What an answer is held to; it is of this form also when its tokens run out. */
typedef enum ocellus_response_format {
  OCELLUS_RESPONSE_TEXT = 0,        /* anything */
  OCELLUS_RESPONSE_JSON_OBJECT = 1, /* one JSON object */
  OCELLUS_RESPONSE_JSON_SCHEMA = 2, /* JSON that satisfies the schema in response_text */
  OCELLUS_RESPONSE_REGEX = 3,       /* the expression in response_text matches all of it */
  OCELLUS_RESPONSE_CHOICE = 4       /* one of the choices */
} ocellus_response_format;

typedef struct ocellus_ask_options {
  size_t struct_size;
  int64_t max_new_tokens;   /* 0: the model's */
  float temperature;        /* 0: greedy; below 0: the model's */
  float top_p;              /* 1: off; below 0: the model's; the same for the next three */
  int64_t top_k;            /* 0: off */
  float min_p;              /* 0: off */
  float repetition_penalty; /* 1: off */
  float presence_penalty;   /* -2 to 2 */
  float frequency_penalty;  /* -2 to 2 */
  const ocellus_logit_bias* logit_bias;
  size_t logit_bias_count;
  int64_t min_tokens;   /* no end token before so many */
  int32_t ignore_eos;   /* not 0: no end token at all */
  int32_t logprobs;     /* not 0: ocellus_piece.tokens */
  int32_t top_logprobs; /* 0 to 20 alternatives for each token; needs logprobs */
  int32_t reserved;
  uint64_t seed;
  const char* const* stop; /* the answer ends before the first of these */
  size_t stop_count;
  int64_t deadline_ms; /* from the call, at most ten minutes; 0: none */
  ocellus_progress_callback progress;
  void* progress_data;
  int32_t response_format; /* ocellus_response_format */
  int32_t reserved_2;
  const char* response_text;
  const char* const* choices;
  size_t choice_count;
  float typical_p; /* 1: off; below 0: what the model's files say */
  int32_t reserved_3;
} ocellus_ask_options;

#define OCELLUS_ASK_OPTIONS_INIT                                                                  \
  {                                                                                               \
    sizeof(ocellus_ask_options), 0, -1.0f, -1.0f, -1, -1.0f, -1.0f, 0.0f, 0.0f, NULL, 0, 0, 0, 0, \
        0, 0, 0, NULL, 0, 0, NULL, NULL, OCELLUS_RESPONSE_TEXT, 0, NULL, NULL, 0, -1.0f, 0        \
  }

/* Queues a question and returns at once (the first time: as soon as the worker has started to
   load). Never waits for other people's questions: OCELLUS_ERROR_UNAVAILABLE when the mailbox is
   full. What goes wrong later is told by the stream. options NULL: the defaults. The messages are
   copied, and end with one of the user. */
OCELLUS_API ocellus_error* ocellus_model_ask(ocellus_model* model, const ocellus_messages* messages,
                                             const ocellus_ask_options* options,
                                             ocellus_stream** stream);
/* The same for one picture and one question. */
OCELLUS_API ocellus_error* ocellus_model_ask_picture(ocellus_model* model, const char* path_or_url,
                                                     const char* question,
                                                     const ocellus_ask_options* options,
                                                     ocellus_stream** stream);

/* ---- Answers ---- */

/* A token and its log-probability: natural logarithm, by the model's own logits before penalties,
   temperature and filters. This struct does not grow. */
typedef struct ocellus_token {
  int32_t id;
  float logprob;
  const char* text; /* as it enters the answer: may be part of a character; NUL after its bytes */
  size_t text_bytes;
  const struct ocellus_token* top; /* the likeliest instead of it, likeliest first */
  size_t top_count;
} ocellus_token;

typedef enum ocellus_state {
  OCELLUS_STATE_PENDING = 0, /* nothing yet */
  OCELLUS_STATE_PIECE = 1,
  OCELLUS_STATE_END = 2 /* the answer is complete */
} ocellus_state;

/* What is new since the piece before. The pointers live until the next reading of the stream. */
typedef struct ocellus_piece {
  size_t struct_size;
  int32_t state; /* an ocellus_state; the rest is empty unless OCELLUS_STATE_PIECE */
  int32_t reserved;
  const char* text; /* whole characters; NUL after text_bytes; never NULL */
  size_t text_bytes;
  const int32_t* ids; /* of the tokens */
  size_t ids_count;
  const ocellus_token* tokens; /* where logprobs were asked for */
  size_t tokens_count;         /* ids_count or 0 */
  const char* thoughts; /* what the model thinks before it answers, apart from text; as text */
  size_t thoughts_bytes;
} ocellus_piece;

#define OCELLUS_PIECE_INIT \
  { sizeof(ocellus_piece), 0, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0 }

/* Waits for the next piece: wait_ms at most, below 0 as long as it takes, 0 not at all. After an
   error or the end, the same again. */
OCELLUS_API ocellus_error* ocellus_stream_next(ocellus_stream* stream, int64_t wait_ms,
                                               ocellus_piece* piece);

/* Gets each piece, on the thread that called ocellus_stream_read(); not 0: stop reading. The
   piece lives until the callback returns. */
typedef int32_t (*ocellus_piece_callback)(void* user_data, const ocellus_piece* piece);

/* Reads to the end. Where the callback says stop, the stream is cancelled and the error is
   OCELLUS_ERROR_CANCELLED. */
OCELLUS_API ocellus_error* ocellus_stream_read(ocellus_stream* stream,
                                               ocellus_piece_callback callback, void* user_data);

/* Stops the answer; from any thread, also while another reads, but not after ocellus_stream_free().
   The reader gets OCELLUS_ERROR_CANCELLED. */
OCELLUS_API void ocellus_stream_cancel(ocellus_stream* stream);
/* Cancels what is left. */
OCELLUS_API void ocellus_stream_free(ocellus_stream* stream);

typedef enum ocellus_finish {
  OCELLUS_FINISH_STOP = 0,  /* an end token or a stop text */
  OCELLUS_FINISH_LENGTH = 1 /* the token limit or the end of the context */
} ocellus_finish;

typedef struct ocellus_stats {
  size_t struct_size;
  int64_t prompt_tokens;    /* all of them, pictures included */
  int64_t image_tokens;     /* of these, the pictures' */
  int64_t generated_tokens; /* without the end token */
  int64_t drafted_tokens;   /* proposed from the text so far and tried ahead */
  int64_t accepted_tokens;  /* of these, the ones that saved a step of their own */
  int32_t finish;           /* an ocellus_finish */
  int32_t reserved;
  double queue_seconds;       /* waiting in the mailbox */
  double fetch_seconds;       /* reading or downloading the pictures */
  double image_seconds;       /* fetching, decoding and preprocessing them */
  double tower_seconds;       /* image encoder and projector */
  double first_token_seconds; /* from the question to the first token */
  double total_seconds;
  int64_t cached_tokens; /* of the prompt's, those whose keys and values were known already */
  int64_t unbounded_image_tokens; /* the pictures' without the usual bound of image_tokens */
  int64_t thought_tokens;         /* of the generated ones, those before the answer */
} ocellus_stats;

#define OCELLUS_STATS_INIT \
  { sizeof(ocellus_stats), 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0 }

/* What is known so far; complete once the end has been read. */
OCELLUS_API ocellus_error* ocellus_stream_get_stats(const ocellus_stream* stream,
                                                    ocellus_stats* stats);

/* ---- Embeddings: the rows that stand for a picture in a prompt, after tower and projector. ----
 */

OCELLUS_API ocellus_error* ocellus_model_embed_picture(ocellus_model* model,
                                                       const char* path_or_url,
                                                       ocellus_embedding** embedding);
OCELLUS_API ocellus_error* ocellus_model_embed_picture_bytes(ocellus_model* model,
                                                             const void* bytes, size_t size,
                                                             ocellus_embedding** embedding);
OCELLUS_API void ocellus_embedding_free(ocellus_embedding* embedding);

/* Of NULL: 0 and NULL. The values live as long as the embedding. */
OCELLUS_API int64_t ocellus_embedding_rows(const ocellus_embedding* embedding);
OCELLUS_API int64_t ocellus_embedding_cols(const ocellus_embedding* embedding); /* hidden size */
OCELLUS_API const float* ocellus_embedding_data(
    const ocellus_embedding* embedding); /* [rows, cols] */
OCELLUS_API const float* ocellus_embedding_mean(const ocellus_embedding* embedding); /* [cols] */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
