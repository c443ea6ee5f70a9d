#include "celeryc/message/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Significant digits, "d.ddd" without the point, and the power of ten of the first one. */
struct decimal {
    char digits[20];
    int count;
    int exponent;
};

/* Takes what "%.*e" printed apart; whatever stands between the digits is the locale's point. */
static void decimal_read(struct decimal *decimal, const char *text)
{
    decimal->count = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            decimal->digits[decimal->count++] = *at;
    }
    decimal->exponent = atoi(at + 1);
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* Where 16 digits rounded to the nearest do not read back, a neighbour may, below a power of two; Python
 * prefers it. */
static bool decimal_neighbour(struct decimal *decimal, double magnitude)
{
    for (int step = -1; step <= 1; step += 2) {
        char text[40];
        (void)snprintf(text, sizeof text, "%.15e", magnitude);
        struct decimal near;
        decimal_read(&near, text);
        while (near.count < 16)
            near.digits[near.count++] = '0';
        int at = 15;
        char from = step < 0 ? '0' : '9', to = step < 0 ? '9' : '0';
        while (at > 0 && near.digits[at] == from)
            near.digits[at--] = to;
        near.digits[at] = (char)(near.digits[at] + step);
        (void)snprintf(text, sizeof text, "%.16se%d", near.digits, near.exponent - 15);
        if (strtod(text, NULL) == magnitude) {
            decimal_read(decimal, text);
            decimal->exponent = near.exponent;
            return true;
        }
    }
    return false;
}

static void decimal_shortest(struct decimal *decimal, double magnitude)
{
    char text[40];
    /* Below the normal numbers fewer digits than 15 may tell a value apart. */
    for (int digits = magnitude < 1e-300 ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, magnitude);
        if (strtod(text, NULL) == magnitude) {
            decimal_read(decimal, text);
            return;
        }
        if (digits == 16 && decimal_neighbour(decimal, magnitude))
            return;
    }
    decimal_read(decimal, text);
}

static size_t fixed_text(const struct decimal *decimal, char *to)
{
    size_t size = 0;
    int point = decimal->exponent + 1; /* digits before the point */
    if (point <= 0) {
        memcpy(to, "0.000", 5); /* at most three zeros stand before the first digit: 0.0001 */
        size = (size_t)(2 - point);
        memcpy(to + size, decimal->digits, (size_t)decimal->count);
        return size + (size_t)decimal->count;
    }
    int last = decimal->count > point ? decimal->count : point + 1;
    for (int i = 0; i < last; i++) {
        if (i == point)
            to[size++] = '.';
        to[size++] = i < decimal->count ? decimal->digits[i] : '0';
    }
    return size;
}

static size_t exponent_text(const struct decimal *decimal, char *to)
{
    size_t size = 0;
    to[size++] = decimal->digits[0];
    if (decimal->count > 1) {
        to[size++] = '.';
        memcpy(to + size, decimal->digits + 1, (size_t)decimal->count - 1);
        size += (size_t)decimal->count - 1;
    }
    int exponent = decimal->exponent;
    return size + (size_t)snprintf(to + size, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

size_t number_float_text(double value, char buffer[NUMBER_TEXT_SIZE])
{
    if (isnan(value))
        return (size_t)snprintf(buffer, NUMBER_TEXT_SIZE, "nan");
    size_t size = 0;
    if (signbit(value))
        buffer[size++] = '-';
    double magnitude = fabs(value);
    if (isinf(value))
        return size + (size_t)snprintf(buffer + size, NUMBER_TEXT_SIZE - size, "inf");
    struct decimal decimal = {.digits = "0", .count = 1};
    if (magnitude > 0)
        decimal_shortest(&decimal, magnitude);
    if (decimal.exponent < -4 || decimal.exponent >= 16)
        size += exponent_text(&decimal, buffer + size);
    else
        size += fixed_text(&decimal, buffer + size);
    buffer[size] = '\0';
    return size;
}
