/* SPDX-License-Identifier: Apache-2.0 */
/* tests/ref/temp_path.h - files and folders of tests. */
#ifndef SN_TESTS_TEMP_PATH_H
#define SN_TESTS_TEMP_PATH_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TMPDIR, or what POSIX has where that is not set. */
static inline const char *temp_dir(void) {
  const char *const dir = getenv("TMPDIR");
  return dir != NULL ? dir : "/tmp";
}

/* A template for mkdtemp and mkstemp in that folder into path [n]; where it
 * does not fit the test ends. */
static inline void temp_template(char *path, size_t n, const char *name) {
  const char *const parts[] = {temp_dir(), "/senone-", name, "-XXXXXX"};
  size_t used = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    const size_t length = strlen(parts[i]);
    if (used + length >= n) {
      fprintf(stderr, "TMPDIR is too long: %s\n", parts[0]);
      exit(1);
    }
    memcpy(path + used, parts[i], length + 1);
    used += length;
  }
}
#endif
