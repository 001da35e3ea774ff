/* BLAKE3-256, written from its specification (O'Connor, Aumasson, Neves, Wilcox-O'Hearn: "BLAKE3: one
 * function, fast everywhere", 2021), section numbers of which are given. The hash only: no key, no
 * context, 32 bytes of output.
 *
 * Two ways of compressing, both in the vector types of gcc and clang, which every processor can run: the
 * four rows of one state beside each other, for a single input; and eight states beside each other, each
 * of a piece of input of its own, for many. Both are compiled for several sets of instructions. */

#include "native.h"

#include <string.h>

#define BLOCK 64u
#define CHUNK 1024u
#define DEEPEST 54 /* chunks of 1 KiB in 2^64 bytes: levels of the tree (5.1.2) */

/* 2.1, table 3: flags that keep the uses of the compression function apart. */
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

/* 2.1, table 1: the same as SHA-256's. */
static const uint32_t IV[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* 2.2, table 2: which word of the message each step of each round takes; row n is the permutation
 * 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8, n times. */
static const uint8_t ORDER[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

#define INLINE static inline __attribute__((always_inline))
#define ROTATE(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

INLINE uint32_t
load32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

INLINE void
store32(uint8_t *at, uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(at, &word, 4);
}

/* 2.2: the quarter round, on vectors: of columns or diagonals of one state, or of many states. */
#define G(a, b, c, d, x, y)                                                                                \
    do {                                                                                                         \
        a += b + (x);                                                                                            \
        d ^= a;                                                                                                  \
        d = ROTATE(d, 16);                                                                                       \
        c += d;                                                                                                  \
        b ^= c;                                                                                                  \
        b = ROTATE(b, 12);                                                                                       \
        a += b + (y);                                                                                            \
        d ^= a;                                                                                                  \
        d = ROTATE(d, 8);                                                                                        \
        c += d;                                                                                                  \
        b ^= c;                                                                                                  \
        b = ROTATE(b, 7);                                                                                        \
    } while (0)

/* ------------------------------------------------------------------ one state, row by row */

typedef uint32_t row __attribute__((vector_size(16)));

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TURNED(x, a, b, c, d) __builtin_shufflevector((x), (x), a, b, c, d)
#endif
#endif
#ifndef TURNED
#define TURNED(x, a, b, c, d) __builtin_shuffle((x), (row){a, b, c, d})
#endif

#define WORDS(r, i) ((row){m[ORDER[r][i]], m[ORDER[r][i + 2]], m[ORDER[r][i + 4]], m[ORDER[r][i + 6]]})

#define ROWS_ROUND(r)                                                                                            \
    do {                                                                                                         \
        G(a, b, c, d, WORDS(r, 0), WORDS(r, 1));                                                                      \
        b = TURNED(b, 1, 2, 3, 0);                                                                               \
        c = TURNED(c, 2, 3, 0, 1);                                                                               \
        d = TURNED(d, 3, 0, 1, 2);                                                                               \
        G(a, b, c, d, WORDS(r, 8), WORDS(r, 9));                                                                      \
        b = TURNED(b, 3, 0, 1, 2);                                                                               \
        c = TURNED(c, 2, 3, 0, 1);                                                                               \
        d = TURNED(d, 1, 2, 3, 0);                                                                               \
    } while (0)

/* 2.2: the compression function, whose first 8 words of output become the chaining value `h`. */
INLINE void
compress_rows(uint32_t h[8], const uint8_t block[BLOCK], uint32_t size, uint64_t counter, uint32_t flags)
{
    uint32_t m[16];
    for (int i = 0; i < 16; i++)
        m[i] = load32(block + 4 * i);
    row a, b;
    memcpy(&a, h, 16);
    memcpy(&b, h + 4, 16);
    row c = {IV[0], IV[1], IV[2], IV[3]};
    row d = {(uint32_t)counter, (uint32_t)(counter >> 32), size, flags};
    ROWS_ROUND(0);
    ROWS_ROUND(1);
    ROWS_ROUND(2);
    ROWS_ROUND(3);
    ROWS_ROUND(4);
    ROWS_ROUND(5);
    ROWS_ROUND(6);
    a ^= c;
    b ^= d;
    memcpy(h, &a, 16);
    memcpy(h + 4, &b, 16);
}

/* ------------------------------------------------------------------ eight states side by side */

#define LANES 8
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

/* A chunk, or a whole input of at most one: what becomes of it goes to `out`. */
struct piece {
    const uint8_t *data;
    size_t size;
    uint64_t counter; /* number of the chunk in its input */
    uint32_t last;    /* flags of its last block: CHUNK_END, and ROOT where it is all of the input */
    uint8_t *out;
};

struct lane {
    const struct piece *piece; /* NULL: idle */
    size_t done;
};

#define LANES_ROUND(r)                                                                                           \
    do {                                                                                                         \
        G(v0, v4, v8, v12, m[ORDER[r][0]], m[ORDER[r][1]]);                                                \
        G(v1, v5, v9, v13, m[ORDER[r][2]], m[ORDER[r][3]]);                                                \
        G(v2, v6, v10, v14, m[ORDER[r][4]], m[ORDER[r][5]]);                                               \
        G(v3, v7, v11, v15, m[ORDER[r][6]], m[ORDER[r][7]]);                                               \
        G(v0, v5, v10, v15, m[ORDER[r][8]], m[ORDER[r][9]]);                                               \
        G(v1, v6, v11, v12, m[ORDER[r][10]], m[ORDER[r][11]]);                                             \
        G(v2, v7, v8, v13, m[ORDER[r][12]], m[ORDER[r][13]]);                                              \
        G(v3, v4, v9, v14, m[ORDER[r][14]], m[ORDER[r][15]]);                                              \
    } while (0)

/* What eight blocks, one of each lane, are compressed from and to: word by word, lanes beside each other. */
struct eight {
    lanes h[8];
    lanes m[16];
    lanes low, high, size, flags;
};

INLINE void
compress_lanes(struct eight *at)
{
    const lanes *m = at->m;
    lanes v0 = at->h[0], v1 = at->h[1], v2 = at->h[2], v3 = at->h[3];
    lanes v4 = at->h[4], v5 = at->h[5], v6 = at->h[6], v7 = at->h[7];
    const lanes zero = {0};
    lanes v8 = zero + IV[0], v9 = zero + IV[1], v10 = zero + IV[2], v11 = zero + IV[3];
    lanes v12 = at->low, v13 = at->high, v14 = at->size, v15 = at->flags;
    LANES_ROUND(0);
    LANES_ROUND(1);
    LANES_ROUND(2);
    LANES_ROUND(3);
    LANES_ROUND(4);
    LANES_ROUND(5);
    LANES_ROUND(6);
    at->h[0] = v0 ^ v8;
    at->h[1] = v1 ^ v9;
    at->h[2] = v2 ^ v10;
    at->h[3] = v3 ^ v11;
    at->h[4] = v4 ^ v12;
    at->h[5] = v5 ^ v13;
    at->h[6] = v6 ^ v14;
    at->h[7] = v7 ^ v15;
}

/* Gives a lane its next piece, or none. */
INLINE void
begin(struct eight *at, struct lane *lane, int number, const struct piece *piece)
{
    lane->piece = piece;
    lane->done = 0;
    if (piece == NULL)
        return;
    for (int i = 0; i < 8; i++)
        at->h[i][number] = IV[i];
    at->low[number] = (uint32_t)piece->counter;
    at->high[number] = (uint32_t)(piece->counter >> 32);
}

/* Puts the next block of a lane in its place. Says how long it is. */
INLINE void
take_block(struct eight *at, struct lane *lane, int number)
{
    const struct piece *piece = lane->piece;
    const uint8_t *block = piece->data + lane->done;
    size_t size = piece->size - lane->done;
    uint32_t flags = lane->done == 0 ? CHUNK_START : 0;
    uint8_t padded[BLOCK];
    if (size <= BLOCK) {
        flags |= piece->last;
        if (size < BLOCK) {
            memset(padded, 0, BLOCK);
            memcpy(padded, block, size);
            block = padded;
        }
    } else {
        size = BLOCK;
    }
    for (int i = 0; i < 16; i++)
        at->m[i][number] = load32(block + 4 * i);
    at->size[number] = (uint32_t)size;
    at->flags[number] = flags;
    lane->done += size;
}

/* Hashes pieces, as many as there are lanes at a time; where one ends, the next one takes its lane. */
INLINE void
hash_pieces_lanes(const struct piece *pieces, size_t count)
{
    struct eight at;
    struct lane all[LANES];
    size_t begun = 0, ended = 0;
    memset(&at, 0, sizeof at);
    for (int i = 0; i < LANES; i++) {
        begin(&at, &all[i], i, begun < count ? &pieces[begun] : NULL);
        begun++;
    }
    while (ended < count) {
        for (int i = 0; i < LANES; i++)
            if (all[i].piece != NULL)
                take_block(&at, &all[i], i);
        compress_lanes(&at);
        for (int i = 0; i < LANES; i++) {
            const struct piece *piece = all[i].piece;
            if (piece == NULL || all[i].done < piece->size)
                continue;
            for (int word = 0; word < 8; word++)
                store32(piece->out + 4 * word, at.h[word][i]);
            ended++;
            begin(&at, &all[i], i, begun < count ? &pieces[begun] : NULL);
            begun++;
        }
    }
}

/* ------------------------------------------------------------------ for which processor */

typedef void compress_function(uint32_t h[8], const uint8_t *, uint32_t, uint64_t, uint32_t);
typedef void pieces_function(const struct piece *, size_t);

#define COMPILED_FOR(name, target)                                                                               \
    target static void compress_##name(uint32_t h[8], const uint8_t *block, uint32_t size, uint64_t counter,     \
                                       uint32_t flags)                                                           \
    {                                                                                                            \
        compress_rows(h, block, size, counter, flags);                                                           \
    }                                                                                                            \
    target static void hash_pieces_##name(const struct piece *pieces, size_t count)                              \
    {                                                                                                            \
        hash_pieces_lanes(pieces, count);                                                                        \
    }

COMPILED_FOR(plain, )
#if defined(__x86_64__)
COMPILED_FOR(avx2, __attribute__((target("avx2"))))
COMPILED_FOR(avx512, __attribute__((target("avx2,avx512f,avx512vl"))))
#endif

static compress_function *compress = compress_plain;
static pieces_function *hash_pieces = hash_pieces_plain;

const char *
evgit_choose_blake3(int plain)
{
#if defined(__x86_64__)
    if (!plain && __builtin_cpu_supports("avx2")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
            compress = compress_avx512;
            hash_pieces = hash_pieces_avx512;
            return "avx512vl";
        }
        compress = compress_avx2;
        hash_pieces = hash_pieces_avx2;
        return "avx2";
    }
#endif
    (void)plain;
    compress = compress_plain;
    hash_pieces = hash_pieces_plain;
    return "plain";
}

/* ------------------------------------------------------------------ the tree */

/* 2.4: a chunk, the chaining value of which goes to `out`; with `last` as in a piece. */
static void
hash_chunk(const uint8_t *data, size_t size, uint64_t counter, uint32_t last, uint8_t out[32])
{
    uint32_t h[8];
    uint32_t flags = CHUNK_START;
    memcpy(h, IV, sizeof h);
    for (; size > BLOCK; data += BLOCK, size -= BLOCK) {
        compress(h, data, BLOCK, counter, flags);
        flags = 0;
    }
    uint8_t padded[BLOCK] = {0};
    if (size < BLOCK && size > 0)
        memcpy(padded, data, size);
    compress(h, size == BLOCK ? data : padded, (uint32_t)size, counter, flags | last);
    for (int i = 0; i < 8; i++)
        store32(out + 4 * i, h[i]);
}

/* 2.5: the parent of two nodes that stand beside each other; `out` may be `nodes`. */
static void
hash_parent(const uint8_t nodes[64], uint32_t root, uint8_t out[32])
{
    uint32_t h[8];
    memcpy(h, IV, sizeof h);
    compress(h, nodes, BLOCK, 0, PARENT | root);
    for (int i = 0; i < 8; i++)
        store32(out + 4 * i, h[i]);
}

void
evgit_blake3(const uint8_t *data, size_t size, uint8_t out[32])
{
    if (size <= CHUNK) {
        hash_chunk(data, size, 0, CHUNK_END | ROOT, out);
        return;
    }
    /* 5.1.2: nodes of whole subtrees, largest first. One more than that, where the next one stands
     * before it is merged with those of its size. */
    uint8_t nodes[DEEPEST + 2 * LANES][32];
    int height = 0;
    uint64_t chunks = 0;
    while (size > 0) {
        struct piece pieces[LANES];
        uint8_t values[LANES][32];
        int count = 0;
        for (; count < LANES && size > 0; count++) {
            size_t taken = size < CHUNK ? size : CHUNK;
            pieces[count] = (struct piece){data, taken, chunks + (unsigned)count, CHUNK_END, values[count]};
            data += taken;
            size -= taken;
        }
        hash_pieces(pieces, (size_t)count);
        for (int i = 0; i < count; i++) {
            memcpy(nodes[height++], values[i], 32);
            chunks++;
            if (i + 1 == count && size == 0)
                break; /* the last one: what it is merged with depends on the root */
            for (uint64_t pairs = chunks; (pairs & 1) == 0; pairs >>= 1) {
                height--;
                hash_parent(nodes[height - 1], 0, nodes[height - 1]);
            }
        }
    }
    for (; height > 1; height--)
        hash_parent(nodes[height - 2], height == 2 ? ROOT : 0, nodes[height - 2]);
    memcpy(out, nodes[0], 32);
}

void
evgit_blake3_many(const uint8_t *const *data, const size_t *sizes, size_t count, uint8_t *out)
{
    struct piece pieces[16 * LANES];
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++, out += 32) {
        if (sizes[i] > CHUNK) {
            evgit_blake3(data[i], sizes[i], out);
            continue;
        }
        pieces[gathered++] = (struct piece){data[i], sizes[i], 0, CHUNK_END | ROOT, out};
        if (gathered == 16 * LANES) {
            hash_pieces(pieces, gathered);
            gathered = 0;
        }
    }
    if (gathered > 2) {
        hash_pieces(pieces, gathered);
        return;
    }
    for (size_t i = 0; i < gathered; i++)
        hash_chunk(pieces[i].data, pieces[i].size, 0, CHUNK_END | ROOT, pieces[i].out);
}
