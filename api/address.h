/* IP addresses as settings have them. Pure. */
#ifndef API_ADDRESS_H
#define API_ADDRESS_H

#include <sys/socket.h>

/* Reads an IPv4 or IPv6 address (no names). The length of what is in `address`, 0 when the text is none. */
socklen_t address_read(const char *text, int port, struct sockaddr_storage *address);

/* The port in it. */
int address_port(const struct sockaddr_storage *address);

#endif
