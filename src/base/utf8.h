/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629), byte by byte. No malloc, no locale. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** Length of the sequence at p: no overlong forms, no surrogates, nothing over U+10FFFF. @return 0: it is none */
size_t utf8_length(const unsigned char *p, size_t left);
/** The character of a sequence whose length utf8_length gave. */
uint32_t utf8_decode(const unsigned char *p, size_t len);

#endif
