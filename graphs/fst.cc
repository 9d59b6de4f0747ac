// SPDX-License-Identifier: Apache-2.0
// graphs/fst.cc - see fst.h. Every entry point runs its body in guard(), checks
// what OpenFst does not (state ids, labels, NaN) before it calls, and looks for
// kError after.
#include "graphs/fst.h"

#include <fst/fstlib.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <string>

struct sn_fst {
  fst::StdVectorFst g;
};

namespace {

using fst::StdArc;
using fst::StdVectorFst;
using Ptr = std::unique_ptr<sn_fst>;

template <class F>
sn_status guard(sn_err *err, const char *what, F body) noexcept {
  try {
    if (FLAGS_fst_error_fatal) FLAGS_fst_error_fatal = false;
    return body();
  } catch (const std::bad_alloc &) {
    return sn_fail(err, SN_ENOMEM, "%s: out of memory", what);
  } catch (const std::exception &e) {
    return sn_fail(err, SN_EEXTERNAL, "%s: %s", what, e.what());
  } catch (...) {
    return sn_fail(err, SN_EEXTERNAL, "%s: unknown C++ exception", what);
  }
}

bool has_state(const sn_fst *f, int32_t s) {
  return s >= 0 && s < f->g.NumStates();
}

// Hands a result over unless OpenFst marked it as bad.
sn_status give(Ptr f, const char *what, sn_fst **out, sn_err *err) {
  if (f->g.Properties(fst::kError, false))
    return sn_fail(err, SN_EEXTERNAL,
                   "%s: OpenFst marked the result as an error; its reason is "
                   "on stderr",
                   what);
  *out = f.release();
  return SN_OK;
}

// What OpenFst's reader lets through: arcs that lead nowhere.
sn_status check(const sn_fst *f, const char *name, sn_err *err) {
  const int32_t n = f->g.NumStates();
  if (n > 0 && !has_state(f, f->g.Start()) && f->g.Start() != fst::kNoStateId)
    return sn_fail(err, SN_EFORMAT, "%s: start state %d of %d", name,
                   f->g.Start(), n);
  for (int32_t s = 0; s < n; s++) {
    if (std::isnan(f->g.Final(s).Value()))
      return sn_fail(err, SN_EFORMAT, "%s: state %d: final weight is no number",
                     name, s);
    for (fst::ArcIterator<StdVectorFst> it(f->g, s); !it.Done(); it.Next()) {
      const StdArc &a = it.Value();
      if (!has_state(f, a.nextstate) || a.ilabel < 0 || a.olabel < 0 ||
          std::isnan(a.weight.Value()))
        return sn_fail(err, SN_EFORMAT,
                       "%s: state %d, arc %zu: to state %d of %d, labels "
                       "%d:%d, weight %g",
                       name, s, it.Position(), a.nextstate, n, a.ilabel,
                       a.olabel, static_cast<double>(a.weight.Value()));
    }
  }
  return SN_OK;
}

sn_status read_stream(std::istream &in, const char *name, sn_fst **out,
                      sn_err *err) {
  fst::FstReadOptions opts(name);
  // The stream must be at the start of a header that OpenFst knows; it
  // allocates as the states come, so a false count ends with the stream.
  fst::FstHeader header;
  const auto start = in.tellg();
  if (!header.Read(in, name))
    return sn_fail(err, SN_EFORMAT, "%s: no OpenFst header", name);
  if (header.ArcType() != StdArc::Type())
    return sn_fail(err, SN_EFORMAT, "%s: arcs of type '%s', not '%s'", name,
                   header.ArcType().c_str(), StdArc::Type().c_str());
  if (header.FstType() != "vector" && header.FstType() != "const")
    return sn_fail(err, SN_EFORMAT,
                   "%s: an FST of type '%s'; convert it with fstconvert "
                   "--fst_type=vector",
                   name, header.FstType().c_str());
  in.seekg(0, std::ios::end);
  const auto end = in.tellg();
  in.seekg(start);
  // A state takes 8 bytes and an arc 16 in either type.
  const int64_t n_bytes = static_cast<int64_t>(end - start);
  if (header.NumStates() > n_bytes / 8 || header.NumArcs() > n_bytes / 16)
    return sn_fail(err, SN_EFORMAT,
                   "%s: %lld states and %lld arcs in %lld bytes", name,
                   static_cast<long long>(header.NumStates()),
                   static_cast<long long>(header.NumArcs()),
                   static_cast<long long>(n_bytes));
  std::unique_ptr<fst::Fst<StdArc>> f(fst::Fst<StdArc>::Read(in, opts));
  if (!f) return sn_fail(err, SN_EFORMAT, "%s: damaged OpenFst file", name);
  Ptr made(new sn_fst);
  if (f->Start() < fst::kNoStateId ||
      (f->Start() >= 0 && f->Start() >= header.NumStates()))
    return sn_fail(err, SN_EFORMAT, "%s: start state %d of %lld", name,
                   f->Start(), static_cast<long long>(header.NumStates()));
  made->g = StdVectorFst(*f);
  SN_TRY(check(made.get(), name, err));
  return give(std::move(made), name, out, err);
}

}  // namespace

extern "C" {

sn_status sn_fst_create(sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst create", [&] {
    *out = new sn_fst;
    return SN_OK;
  });
}

void sn_fst_destroy(sn_fst *f) { delete f; }

sn_status sn_fst_add_state(sn_fst *f, int32_t *id, sn_err *err) {
  return guard(err, "fst add state", [&] {
    *id = f->g.AddState();
    if (*id == 0) f->g.SetStart(0);
    return SN_OK;
  });
}

sn_status sn_fst_set_start(sn_fst *f, int32_t s, sn_err *err) {
  return guard(err, "fst set start", [&] {
    if (!has_state(f, s))
      return sn_fail(err, SN_EARG, "fst set start: state %d of %d", s,
                     f->g.NumStates());
    f->g.SetStart(s);
    return SN_OK;
  });
}

sn_status sn_fst_set_final(sn_fst *f, int32_t s, float cost, sn_err *err) {
  return guard(err, "fst set final", [&] {
    if (!has_state(f, s) || std::isnan(cost))
      return sn_fail(err, SN_EARG, "fst set final: state %d of %d, cost %g", s,
                     f->g.NumStates(), static_cast<double>(cost));
    f->g.SetFinal(s, cost);
    return SN_OK;
  });
}

sn_status sn_fst_add_arc(sn_fst *f, int32_t from, int32_t in, int32_t out,
                         float cost, int32_t to, sn_err *err) {
  return guard(err, "fst add arc", [&] {
    if (!has_state(f, from) || !has_state(f, to) || in < 0 || out < 0 ||
        std::isnan(cost))
      return sn_fail(err, SN_EARG,
                     "fst add arc: %d -> %d of %d states, labels %d:%d, cost "
                     "%g",
                     from, to, f->g.NumStates(), in, out,
                     static_cast<double>(cost));
    f->g.AddArc(from, StdArc(in, out, cost, to));
    return SN_OK;
  });
}

int32_t sn_fst_n_states(const sn_fst *f) { return f->g.NumStates(); }
int32_t sn_fst_start(const sn_fst *f) { return f->g.Start(); }

int64_t sn_fst_n_arcs(const sn_fst *f, int32_t s) {
  return has_state(f, s) ? static_cast<int64_t>(f->g.NumArcs(s)) : 0;
}

float sn_fst_final(const sn_fst *f, int32_t s) {
  return has_state(f, s) ? f->g.Final(s).Value()
                         : std::numeric_limits<float>::infinity();
}

sn_fst_arc sn_fst_arc_at(const sn_fst *f, int32_t s, int64_t i) {
  SN_ASSERT(i >= 0 && i < sn_fst_n_arcs(f, s));
  fst::ArcIterator<StdVectorFst> it(f->g, s);
  it.Seek(static_cast<size_t>(i));
  const StdArc &a = it.Value();
  return {a.ilabel, a.olabel, a.nextstate, a.weight.Value()};
}

sn_status sn_fst_compose(const sn_fst *a, const sn_fst *b, sn_fst **out,
                         sn_err *err) {
  *out = nullptr;
  return guard(err, "fst compose", [&] {
    StdVectorFst sorted(b->g);
    fst::ArcSort(&sorted, fst::ILabelCompare<StdArc>());
    Ptr c(new sn_fst);
    fst::Compose(a->g, sorted, &c->g);
    return give(std::move(c), "fst compose", out, err);
  });
}

sn_status sn_fst_connect(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst connect", [&] {
    Ptr c(new sn_fst(*f));
    fst::Connect(&c->g);
    return give(std::move(c), "fst connect", out, err);
  });
}

sn_status sn_fst_rm_epsilon(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst rmepsilon", [&] {
    Ptr c(new sn_fst(*f));
    fst::RmEpsilon(&c->g);
    return give(std::move(c), "fst rmepsilon", out, err);
  });
}

sn_status sn_fst_optimise(const sn_fst *f, int32_t max_states, sn_fst **out,
                          sn_err *err) {
  *out = nullptr;
  return guard(err, "fst optimise", [&] {
    StdVectorFst encoded(f->g);
    fst::Connect(&encoded);
    fst::EncodeMapper<StdArc> mapper(fst::kEncodeLabels | fst::kEncodeWeights,
                                     fst::ENCODE);
    fst::Encode(&encoded, &mapper);
    Ptr d(new sn_fst);
    // Final weights stay: with costs on them it is not unweighted, but then
    // determinised by state sets and residual weights, which are all One.
    fst::DeterminizeOptions<StdArc> opts(fst::kDelta, StdArc::Weight::Zero(),
                                         max_states);
    fst::Determinize(encoded, &d->g, opts);
    if (d->g.NumStates() >= max_states) return SN_OK;
    fst::Minimize(&d->g);
    fst::Decode(&d->g, mapper);
    return give(std::move(d), "fst optimise", out, err);
  });
}

sn_status sn_fst_determinize(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst determinize", [&] {
    Ptr d(new sn_fst);
    fst::Determinize(f->g, &d->g);
    return give(std::move(d), "fst determinize", out, err);
  });
}

sn_status sn_fst_minimize(const sn_fst *f, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst minimize", [&] {
    Ptr c(new sn_fst(*f));
    fst::Minimize(&c->g);
    return give(std::move(c), "fst minimize", out, err);
  });
}

sn_status sn_fst_rand_equivalent(const sn_fst *a, const sn_fst *b,
                                 int32_t n_paths, float delta, uint64_t seed,
                                 bool *same, sn_err *err) {
  return guard(err, "fst equivalence", [&] {
    bool error = false;
    *same = fst::RandEquivalent(a->g, b->g, n_paths, delta, seed,
                                std::numeric_limits<int32_t>::max(), &error);
    if (error)
      return sn_fail(err, SN_EEXTERNAL, "fst equivalence: OpenFst failed");
    return SN_OK;
  });
}

sn_status sn_fst_read(const char *path, sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst read", [&] {
    std::ifstream in(path, std::ios::in | std::ios::binary);
    if (!in) return sn_fail(err, SN_EIO, "%s: can not be opened", path);
    return read_stream(in, path, out, err);
  });
}

sn_status sn_fst_read_memory(const void *data, size_t n, const char *name,
                             sn_fst **out, sn_err *err) {
  *out = nullptr;
  return guard(err, "fst read", [&] {
    std::istringstream in(std::string(static_cast<const char *>(data), n));
    return read_stream(in, name, out, err);
  });
}

sn_status sn_fst_write(const sn_fst *f, const char *path, sn_err *err) {
  return guard(err, "fst write", [&] {
    if (!f->g.Write(path))
      return sn_fail(err, SN_EIO, "%s: can not be written", path);
    return SN_OK;
  });
}

}  // extern "C"
