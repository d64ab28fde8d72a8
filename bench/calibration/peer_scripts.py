"""The scripts that have the other tools do the same thing. Text only."""

LOCUST = """\
import os
from locust import FastHttpUser, constant_throughput, task

RATE, USERS = int(os.environ["RATE"]), int(os.environ["USERS"])


class Stock(FastHttpUser):
    wait_time = constant_throughput(RATE / USERS) if RATE else lambda self: 0

    @task
    def score(self):
        headers = {"Authorization": "Bearer " + os.environ["SECRET"], "Content-Type": "application/json"}
        self.client.post(os.environ["TARGET"], data=b"{}", headers=headers, name="score")
"""

K6 = """\
import http from 'k6/http';
const rate = parseInt(__ENV.RATE), seconds = __ENV.SECONDS + 's', users = parseInt(__ENV.USERS);
export const options = {
  summaryTrendStats: ['med', 'p(99)', 'p(99.9)'],
  scenarios: { peer: rate
    ? { executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: seconds,
        preAllocatedVUs: users, maxVUs: users }
    : { executor: 'constant-vus', vus: users, duration: seconds } },
};
const params = { headers: { 'Authorization': 'Bearer ' + __ENV.SECRET, 'Content-Type': 'application/json' } };
export default function () { http.post(__ENV.TARGET, '{}', params); }
"""

LUA = """\
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("SECRET")
"""
