"""X's answers as they were seen in the wild, by name: status, content type, body."""

import json

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json"
OLD = "https://api.twitter.com/2/problems/"
NEW = "https://api.x.com/2/problems/"


def problem(status, title, detail, kind="about:blank", **more):
    return (status, PROBLEM, json.dumps(dict(title=title, detail=detail, type=kind, status=status, **more)))


def code(status, number, message="..."):
    return (status, JSON, json.dumps({"errors": [{"code": number, "message": message}]}))


NAMED = {
    "invalid-request": (400, PROBLEM, json.dumps({
        "errors": [{"message": "...", "parameters": {"text": ["..."]}}], "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.", "type": OLD + "invalid-request"})),
    "too-long": problem(400, "Invalid Request", "Your Tweet text is too long. For more information on how Twitter "
                        "determines text length see https://github.com/twitter/twitter-text.", OLD + "invalid-request"),
    "unauthorized": problem(401, "Unauthorized", "Unauthorized"),
    "credits-old": problem(402, "CreditsDepleted", "Your enrolled account [2056915467785113600] does not have any "
                           "credits to fulfill this request.", OLD + "credits", account_id=2056915467785113600),
    "credits": problem(402, "Payment Required", "credits depleted", NEW + "credits-depleted"),
    "spend-cap-old": problem(403, "SpendCapReached", "SpendCapReached"),
    "spend-cap": problem(403, "Forbidden", "Your monthly spend cap has been reached.", NEW + "spend-cap-reached"),
    "duplicate": problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content."),
    "duplicate-old": code(403, 187, "Status is a duplicate."),
    "app-permission": problem(403, "Forbidden", "Your client app is not configured with the appropriate oauth1 app "
                              "permissions for this endpoint.", OLD + "oauth1-permissions"),
    "not-enrolled": problem(403, "Client Forbidden", "When authenticating requests to the Twitter API v2 endpoints, "
                            "you must use keys and tokens from a Twitter developer App that is attached to a Project.",
                            OLD + "client-forbidden", reason="client-not-enrolled", client_id="1",
                            registration_url="https://developer.twitter.com/en/docs/projects/overview",
                            required_enrollment="Appropriate Level of API Access"),
    "user-suspended": problem(403, "Forbidden", "The user used for authentication is suspended", OLD + "user-suspended"),
    "feature": problem(403, "Forbidden", "Your account is not permitted to access this feature."),
    "not-permitted": problem(403, "Forbidden", "You are not permitted to perform this action."),
    "subset": code(403, 453, "You currently have access to a subset of X API V2 endpoints and limited v1.1 endpoints "
                   "(e.g. media post, oauth) only."),
    "too-many": problem(429, "Too Many Requests", "Too Many Requests"),
    "too-many-old": code(429, 88, "Rate limit exceeded"),
    "usage-cap": (429, PROBLEM, json.dumps({
        "account_id": 1, "product_name": "standard-basic", "title": "UsageCapExceeded", "period": "Monthly",
        "scope": "Product", "detail": "Usage cap exceeded: Monthly product cap", "type": OLD + "usage-capped"})),
    "unavailable": problem(503, "Service Unavailable", "Service Unavailable"),
    "over-capacity": code(503, 130, "Over capacity"),
    "cloudflare": (520, "text/html; charset=UTF-8", "<!DOCTYPE html>\n<html><head><title>api.x.com | 520: Web server "
                   "is returning an unknown error</title></head><body>Error 520</body></html>\n"),
    "cloudflare-block": (403, "text/html; charset=UTF-8", "<!DOCTYPE html>\n<html><head><title>Attention Required! | "
                         "Cloudflare</title></head><body>Sorry, you have been blocked</body></html>\n"),
}
for _status, _numbers in [(401, (32, 89, 135, 416, 417)), (410, (68,)), (400, (215,)), (500, (131,)),
                          (403, (64, 87, 92, 93, 99, 150, 151, 185, 186, 220, 226, 261, 326, 344, 349, 354, 415))]:
    for _number in _numbers:
        NAMED["code-%d" % _number] = code(_status, _number)
for _status in (500, 502, 504, 521, 522, 404, 410, 413, 422):
    NAMED["status-%d" % _status] = (_status, JSON, "")
