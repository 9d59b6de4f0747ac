/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a data directory's files. */
#include <stdio.h>
#include <string.h>

#include "frontend/datadir.h"

const char *sn_utt_speaker(const sn_utt *u) {
  return u->speaker != NULL ? u->speaker : u->id;
}

bool sn_datadir_line_ok(sn_span line, char *why, size_t n) {
  size_t bad = 0;
  if (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)
    (void)snprintf(why, n, "a NUL byte: this is not a text file");
  else if (!sn_utf8_valid(line.p, line.n, &bad))
    (void)snprintf(why, n,
                   "byte %zu of the line is not UTF-8; convert the file with "
                   "iconv",
                   bad + 1);
  else
    return true;
  return false;
}

bool sn_datadir_path_ok(sn_span id, sn_span path, char *why, size_t n) {
  if (path.n == 0)
    (void)snprintf(why, n, "'%.*s' has no path", (int)id.n, id.p);
  else if (path.p[path.n - 1] == '|')
    (void)snprintf(why, n,
                   "'%.*s' is a command; commands are not run: write its "
                   "output to a wav file and name that",
                   path.n < 100 ? (int)path.n : 100, path.p);
  else
    return true;
  return false;
}

bool sn_datadir_segment_parse(sn_span rest, sn_datadir_segment *out, char *why,
                              size_t n) {
  sn_span f[3], extra;
  double begin = 0, end = 0;
  for (int i = 0; i < 3; i++)
    if (!sn_next_field(&rest, &f[i])) {
      (void)snprintf(why, n, "expected 'UTTERANCE RECORDING BEGIN END'");
      return false;
    }
  *out = (sn_datadir_segment){f[0], 0, -1};
  if (sn_next_field(&rest, &extra)) {
    (void)snprintf(why, n, "'%.*s' follows the end time", (int)extra.n,
                   extra.p);
    return false;
  }
  if (!sn_parse_double(f[1], &begin) || !sn_parse_double(f[2], &end) ||
      !(begin >= 0 && begin < 1e9) || !(end == -1 || end < 1e9)) {
    (void)snprintf(why, n, "'%.*s' to '%.*s' are not times in seconds",
                   (int)f[1].n, f[1].p, (int)f[2].n, f[2].p);
    return false;
  }
  if (end != -1 && !(end > begin)) {
    (void)snprintf(why, n, "the segment ends (%g s) before it begins (%g s)",
                   end, begin);
    return false;
  }
  out->begin_s = begin;
  out->end_s = end;
  return true;
}
