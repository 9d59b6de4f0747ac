/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzer: over every file of the folders or files
 * named, and over each of them cut short and with bytes altered. What the
 * target does with an input is right if it returns (sanitizers and assertions
 * watch). usage: replay_<target> RUNS PATH ...
 *   RUNS  altered inputs for each file, about; 0: the files alone
 *   PATH  one that does not exist is passed over; no file at all is an error */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct totals {
  size_t runs, files, n_altered, failed;
} totals;

/* A copy of exactly this size, so that ASan sees a read behind its end. */
static void try(totals *t, const uint8_t *data, size_t n) {
  uint8_t *const copy = malloc(n > 0 ? n : 1);
  if (copy == NULL) exit(1);
  memcpy(copy, data, n);
  (void)LLVMFuzzerTestOneInput(copy, n);
  free(copy);
  t->runs++;
}

static void alter(totals *t, uint8_t *data, size_t n) {
  /* Four inputs for each place: cut there, and three values of its byte. */
  static const uint8_t with[] = {0xFF, 0x01, 0x80};
  const size_t places = t->n_altered / 4;
  const size_t step = places > 0 && n > places ? n / places : 1;
  for (size_t at = 0; at < n && places > 0; at += step) {
    try(t, data, at);
    for (size_t k = 0; k < sizeof with; k++) {
      data[at] = (uint8_t)(data[at] ^ with[k]);
      try(t, data, n);
      data[at] = (uint8_t)(data[at] ^ with[k]);
    }
  }
}

static void file(totals *t, const char *path) {
  FILE *const f = fopen(path, "rb");
  long size = -1;
  if (f != NULL && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
  uint8_t *const data = malloc(size > 0 ? (size_t)size : 1);
  if (size < 0 || data == NULL || fseek(f, 0, SEEK_SET) != 0 ||
      fread(data, 1, (size_t)size, f) != (size_t)size) {
    fprintf(stderr, "%s: cannot be read\n", path);
    t->failed++;
  } else {
    try(t, data, (size_t)size);
    alter(t, data, (size_t)size);
    t->files++;
  }
  free(data);
  if (f != NULL) (void)fclose(f);
}

static void folder(totals *t, DIR *dir, const char *path) {
  for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
    char name[4096];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) file(t, name);
  }
}

int main(int argc, char **argv) {
  totals t = {0};
  if (argc < 3) {
    fprintf(stderr, "usage: %s RUNS PATH ...\n", argv[0]);
    return 2;
  }
  t.n_altered = strtoul(argv[1], NULL, 10);
  try(&t, (const uint8_t *)"", 0);
  for (int i = 2; i < argc; i++) {
    DIR *const dir = opendir(argv[i]);
    if (dir == NULL) {
      if (errno != ENOENT) file(&t, argv[i]); /* not every target has both */
    } else {
      folder(&t, dir, argv[i]);
      (void)closedir(dir);
    }
  }
  printf("%zu files, %zu runs\n", t.files, t.runs);
  if (t.files == 0) fprintf(stderr, "no seed: nothing was tried\n");
  return t.failed > 0 || t.files == 0;
}
