/* The exchanges of remote control. Internal to this room. Source: kombu/pidbox.py. */
#ifndef CELERYC_CLIENT_CONTROL_EXCHANGE_H
#define CELERYC_CLIENT_CONTROL_EXCHANGE_H

struct celery_client;

/* Has the client's publisher declare them at each connecting. */
void control_declare(struct celery_client *client);

#endif
