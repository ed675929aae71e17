/* The same as ask.cc, in C. */
#include <ocellus/ocellus_c.h>
#include <stdio.h>

static int32_t show(void* user_data, const ocellus_piece* piece) {
  (void)user_data;
  fwrite(piece->text, 1, piece->text_bytes, stdout);
  return fflush(stdout); /* not 0: nobody reads, stop */
}

int main(int argc, char** argv) {
  ocellus_registry* registry = NULL;
  ocellus_model* model = NULL;
  ocellus_stream* stream = NULL;
  ocellus_model_options options = OCELLUS_MODEL_OPTIONS_INIT;
  ocellus_error* error;
  int status = 0;
  if (argc != 4) return 2; /* MODEL PICTURE QUESTION */
  options.path = argv[1];
  if ((error = ocellus_registry_create(NULL, &registry)) != NULL ||
      (error = ocellus_model_open(registry, &options, &model)) != NULL ||
      (error = ocellus_model_ask_picture(model, argv[2], argv[3], NULL, &stream)) != NULL ||
      (error = ocellus_stream_read(stream, show, NULL)) != NULL) {
    fprintf(stderr, "%s\n", ocellus_error_get_message(error));
    ocellus_error_free(error);
    status = 1;
  }
  ocellus_stream_free(stream);
  ocellus_model_free(model);
  ocellus_registry_free(registry);
  return status;
}
