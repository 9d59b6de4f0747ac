/* SPDX-License-Identifier: Apache-2.0 */
/* Recognises 16-bit mono PCM from stdin as it comes, as from a microphone:
 *   arecord -q -f S16_LE -r 16000 -c 1 | ./live MODEL_DIR 16000
 * Partial results go to stderr, each finished utterance to stdout.
 * Build: cc -o live live.c $(pkg-config --cflags --libs senone) */
#include <senone.h>
#include <stdio.h>
#include <stdlib.h>

static void give_up(const senone_error *error) {
  fprintf(stderr, "live: %s\n", error->message);
  exit(1);
}

static void print_result(senone_recognizer *r, FILE *to) {
  senone_error error = {0};
  senone_result *result = NULL;
  if (senone_recognizer_take_result(r, &result, &error) != SENONE_OK)
    give_up(&error);
  if (senone_result_n_words(result) > 0)
    fprintf(to, "%.2f %s\n", senone_result_word(result, 0)->begin_s,
            senone_result_text(result));
  fflush(to);
  senone_result_destroy(result);
}

int main(int argc, char **argv) {
  senone_error error = {0};
  senone_model *model = NULL;
  senone_recognizer *r = NULL;
  int16_t samples[1600]; /* a tenth of a second at 16 kHz */
  if (argc < 2) {
    fprintf(stderr, "usage: live MODEL_DIR [RATE_HZ] < PCM\n");
    return 2;
  }
  const double rate_hz = argc > 2 ? atof(argv[2]) : 0; /* 0: the model's */

  if (senone_model_load(argv[1], NULL, &model, &error) != SENONE_OK ||
      senone_recognizer_create(model, NULL, &r, &error) != SENONE_OK)
    give_up(&error);

  for (int chunk = 1;; chunk++) {
    const size_t n = fread(samples, sizeof samples[0], 1600, stdin);
    if (n == 0) break;
    if (senone_recognizer_push_i16(r, samples, n, rate_hz, &error) != SENONE_OK)
      give_up(&error);
    if (senone_recognizer_at_endpoint(r)) { /* a pause: print and go on */
      if (senone_recognizer_finish(r, &error) != SENONE_OK) give_up(&error);
      print_result(r, stdout);
      if (senone_recognizer_next(r, &error) != SENONE_OK) give_up(&error);
    } else if (chunk % 5 == 0) {
      print_result(r, stderr);
    }
  }
  if (senone_recognizer_finish(r, &error) != SENONE_OK) give_up(&error);
  print_result(r, stdout);

  senone_recognizer_destroy(r);
  senone_model_destroy(model);
  return 0;
}
