//! The table: codes and words of X's refusals, what each means, and what to do about it.

use crate::receiver::Outcome;

/// The answers that a rule can give.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Duplicate,
    Pause,
    Stop,
    Suspect,
    Refused,
}

impl Kind {
    pub fn answer(self, why: String) -> Outcome {
        match self {
            Self::Duplicate => Outcome::Duplicate,
            Self::Pause => Outcome::Pause { why },
            Self::Stop => Outcome::Stop { why },
            Self::Suspect => Outcome::Suspect { why },
            Self::Refused => Outcome::Refused { why },
        }
    }
}

/// One refusal.
pub(super) struct Rule {
    pub kind: Kind,
    pub codes: &'static [u64],
    pub words: &'static [&'static str],
    pub advice: &'static str,
}

/// What to do about credentials that X does not accept.
pub(super) const REAUTHORIZE: &str = "the credentials are not valid; run `authalert authorize`";

const fn rule(
    kind: Kind,
    codes: &'static [u64],
    words: &'static [&'static str],
    advice: &'static str,
) -> Rule {
    Rule { kind, codes, words, advice }
}

/// The first that fits counts.
pub(super) const RULES: &[Rule] = &[
    rule(Kind::Duplicate, &[187], &["duplicate content", "status is a duplicate"], ""),
    rule(
        Kind::Pause,
        &[],
        &["spend-cap", "spendcap", "spend cap"],
        "raise the spending limit in the developer console (console.x.com)",
    ),
    rule(
        Kind::Pause,
        &[],
        &["usage-capped", "usagecap", "usage cap"],
        "the plan's cap is used up; raise it in the developer console or wait for the next period",
    ),
    rule(
        Kind::Pause,
        &[],
        &["problems/credits", "creditsdepleted", "credits depleted"],
        "add credits in the developer console (console.x.com)",
    ),
    rule(
        Kind::Stop,
        &[93, 261],
        &["oauth1-permissions", "oauth1 app permission", "cannot perform write actions"],
        "give the app the permission \"Read and write\" in the developer console, then run `authalert authorize` \
         (old tokens keep the old permission)",
    ),
    rule(
        Kind::Stop,
        &[87, 453],
        &["client-forbidden", "client-not-enrolled", "access to a subset of x api"],
        "the app may not post; attach it to a project with API access in the developer console",
    ),
    rule(
        Kind::Stop,
        &[416],
        &["app suspended", "application has been suspended", "app is suspended"],
        "the app is suspended; see the developer console",
    ),
    rule(
        Kind::Stop,
        &[64],
        &["user-suspended", "is suspended", "account suspended", "has been suspended"],
        "the account is suspended; log in at x.com and appeal",
    ),
    rule(
        Kind::Stop,
        &[326],
        &["account is locked", "temporarily locked", "to unlock your account"],
        "the account is locked; log in at x.com and unlock it",
    ),
    rule(
        Kind::Stop,
        &[],
        &["not permitted to access this feature"],
        "the account's plan does not let it post; see the developer console",
    ),
    rule(
        Kind::Stop,
        &[135],
        &["timestamp out of bounds"],
        "this machine's clock is wrong; set it (timedatectl set-ntp true)",
    ),
    rule(
        Kind::Stop,
        &[32, 89, 99, 215, 220],
        &["could not authenticate", "invalid or expired token"],
        REAUTHORIZE,
    ),
    rule(Kind::Stop, &[68], &[], "this version of the API is retired; install a newer authalert"),
    rule(Kind::Stop, &[92], &["ssl is required", "tls is required"], "x.api_url must begin with https://"),
    rule(
        Kind::Stop,
        &[415, 417],
        &["callback url not approved", "oauth_callback value 'oob'"],
        "register a callback URL in the app's settings",
    ),
    rule(Kind::Refused, &[150, 151, 349, 354], &[], "X treats it as a direct message and refuses it"),
    rule(Kind::Refused, &[186], &["text is too long"], "the post is too long; shorten alerts.text"),
    rule(
        Kind::Suspect,
        &[185],
        &["over daily status update limit"],
        "the account has posted too much today; lower alerts.max_per_day",
    ),
    rule(
        Kind::Suspect,
        &[344],
        &["daily limit for sending"],
        "the account has posted too much today; lower alerts.max_per_day",
    ),
    rule(
        Kind::Suspect,
        &[226],
        &["might be automated", "looks like it might be"],
        "X takes it for abuse; label the account as automated (x.com, Settings, Your account, Automation)",
    ),
    rule(
        Kind::Suspect,
        &[],
        &["not permitted to perform this action"],
        "X refuses this post or this account for now; lower alerts.max_per_day or change alerts.text",
    ),
];
