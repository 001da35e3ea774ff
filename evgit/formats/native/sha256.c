/* SHA-256, written from its specification (NIST, FIPS 180-4, section numbers of which are given), and the two
 * hashes that RFC 6962 makes of it. Where an x86 or 64-bit ARM processor has instructions for it, they are used. */

#include "native.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* Compilers for ARM that know from the outset that the processor has SHA-2 (such as for macOS) need no more;
 * gcc can compile one function for it, and Linux says whether it is there. */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#if defined(__ARM_FEATURE_SHA2) || defined(__ARM_FEATURE_CRYPTO)
#define ARM_SHA2
#elif defined(__linux__) && !defined(__clang__)
#define ARM_SHA2 __attribute__((target("+crypto")))
#define ARM_SHA2_ASKED
#include <sys/auxv.h>
#endif
#endif
#ifdef ARM_SHA2
#include <arm_neon.h>
#endif

#define BLOCK 64u

/* 5.3.3 */
static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* 4.2.2 */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define ROTATE(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BIG_ENDIAN_WORD(word) (word)
#else
#define BIG_ENDIAN_WORD(word) __builtin_bswap32(word)
#endif

static uint32_t
load32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return BIG_ENDIAN_WORD(word);
}

static void
store32(uint8_t *at, uint32_t word)
{
    word = BIG_ENDIAN_WORD(word);
    memcpy(at, &word, 4);
}

/* 6.2.2, for one block after another. */
static void
compress_plain(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count > 0; count--, blocks += BLOCK) {
        uint32_t w[64];
        for (int t = 0; t < 16; t++)
            w[t] = load32(blocks + 4 * t);
        for (int t = 16; t < 64; t++) {
            uint32_t near = w[t - 2], far = w[t - 15];
            uint32_t sigma1 = ROTATE(near, 17) ^ ROTATE(near, 19) ^ (near >> 10);
            uint32_t sigma0 = ROTATE(far, 7) ^ ROTATE(far, 18) ^ (far >> 3);
            w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int t = 0; t < 64; t++) {
            uint32_t sum1 = ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25);
            uint32_t first = h + sum1 + ((e & f) ^ (~e & g)) + K[t] + w[t];
            uint32_t sum0 = ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22);
            uint32_t second = sum0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + first;
            d = c;
            c = b;
            b = a;
            a = first + second;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

#if defined(__x86_64__)

/* Intel's instructions (Software Developer's Manual, volume 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2) keep the
 * state as (a, b, e, f) and (c, d, g, h), named from the highest word down, and take four words of the message at a time. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
compress_sha_ni(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i fehg = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0xb1);
    __m128i abef = _mm_unpacklo_epi64(fehg, badc);
    __m128i cdgh = _mm_unpackhi_epi64(fehg, badc);
    for (; count > 0; count--, blocks += BLOCK) {
        __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * i)), big_endian);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i now = w[i & 3];
            if (i < 12) {
                /* words 16 further on: w[t-16] + sigma0(w[t-15]) + w[t-7] + sigma1(w[t-2]) */
                __m128i next = _mm_sha256msg1_epu32(now, w[(i + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
            }
            __m128i added = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    badc = _mm_unpackhi_epi64(abef, cdgh);
    fehg = _mm_unpacklo_epi64(abef, cdgh);
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(badc, 0xb1));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_shuffle_epi32(fehg, 0xb1));
}

/* Compilers of some years ago can't be asked about SHA: CPUID leaf 7, EBX, bit 29. */
static int
has_sha_ni(void)
{
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("sse4.1") || !__builtin_cpu_supports("ssse3"))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

#endif

#ifdef ARM_SHA2

/* Arm's instructions (Architecture Reference Manual for A-profile, SHA256H, SHA256H2, SHA256SU0, SHA256SU1)
 * keep the state as (a, b, c, d) and (e, f, g, h), and take four words of the message at a time. */
ARM_SHA2 static void
compress_arm(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    for (; count > 0; count--, blocks += BLOCK) {
        uint32x4_t abcd_before = abcd, efgh_before = efgh;
        uint32x4_t w[4];
        for (int i = 0; i < 4; i++)
            w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 16 * i)));
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            uint32x4_t added = vaddq_u32(w[i & 3], vld1q_u32(K + 4 * i));
            if (i < 12) /* words 16 further on */
                w[i & 3] = vsha256su1q_u32(vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
            uint32x4_t abcd_now = abcd;
            abcd = vsha256hq_u32(abcd, efgh, added);
            efgh = vsha256h2q_u32(efgh, abcd_now, added);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

static int
has_arm_sha2(void)
{
#ifdef ARM_SHA2_ASKED
    return (getauxval(AT_HWCAP) & 1 << 6) != 0; /* HWCAP_SHA2 */
#else
    return 1;
#endif
}

#endif

static void (*compress)(uint32_t state[8], const uint8_t *blocks, size_t count) = compress_plain;

const char *
evgit_choose_sha256(int plain)
{
#if defined(__x86_64__)
    if (!plain && has_sha_ni()) {
        compress = compress_sha_ni;
        return "sha-ni";
    }
#elif defined(ARM_SHA2)
    if (!plain && has_arm_sha2()) {
        compress = compress_arm;
        return "armv8";
    }
#endif
    (void)plain;
    compress = compress_plain;
    return "plain";
}

static void
written(const uint32_t state[8], uint8_t out[32])
{
    for (int i = 0; i < 8; i++)
        store32(out + 4 * i, state[i]);
}

/* 5.1.1: puts what is behind the last byte of a message of `bytes` bytes into its last block. */
static void
put_length(uint8_t block[BLOCK], uint64_t bytes)
{
    store32(block + 56, (uint32_t)(bytes >> 29));
    store32(block + 60, (uint32_t)(bytes << 3));
}

void
evgit_sha256(const uint8_t *data, size_t size, uint8_t out[32])
{
    uint32_t state[8];
    uint8_t end[2 * BLOCK] = {0};
    size_t whole = size / BLOCK, rest = size % BLOCK;
    memcpy(state, START, sizeof state);
    compress(state, data, whole);
    if (rest > 0)
        memcpy(end, data + whole * BLOCK, rest);
    end[rest] = 0x80;
    size_t blocks = rest < 56 ? 1 : 2;
    put_length(end + (blocks - 1) * BLOCK, size);
    compress(state, end, blocks);
    written(state, out);
}

void
evgit_leaf_hash(const uint8_t id[32], uint8_t out[32])
{
    uint32_t state[8];
    uint8_t block[BLOCK] = {0};
    memcpy(state, START, sizeof state);
    memcpy(block + 1, id, 32);
    block[33] = 0x80;
    put_length(block, 33);
    compress(state, block, 1);
    written(state, out);
}

void
evgit_node_hash(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    uint32_t state[8];
    uint8_t blocks[2 * BLOCK] = {1};
    memcpy(state, START, sizeof state);
    memcpy(blocks + 1, left, 32);
    memcpy(blocks + 33, right, 32);
    blocks[65] = 0x80;
    put_length(blocks + BLOCK, 65);
    compress(state, blocks, 2);
    written(state, out);
}
