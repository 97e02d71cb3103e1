//! Who may connect and what may be done.

use super::LONG_MAX;
use crate::choices::{AclPubsubDefault, ProtectedAction, SanitizeDumpPayload};
use crate::directive::{choice, integer, optional, text};
use crate::typed::{OptionalText, Text};

theme! {
    "Security" after super::logging::END;

    /// The password of the default user.
    REQUIREPASS: OptionalText = optional("requirepass").sensitive();
    /// A file of users; without one they are lines of this file.
    ACLFILE: Text = text("aclfile", "").immutable();
    /// Entries that ACL LOG keeps.
    ACLLOG_MAX_LEN: i64 = integer("acllog-max-len", 0, LONG_MAX, "128");
    /// The channels of a new user: resetchannels for none, allchannels for all.
    ACL_PUBSUB_DEFAULT: AclPubsubDefault = choice("acl-pubsub-default", "resetchannels");
    /// Who may CONFIG SET protected directives: no, yes, or local for local clients.
    ENABLE_PROTECTED_CONFIGS: ProtectedAction = choice("enable-protected-configs", "no").immutable();
    /// Who may use DEBUG: no, yes or local.
    ENABLE_DEBUG_COMMAND: ProtectedAction = choice("enable-debug-command", "no").immutable();
    /// Who may use MODULE: no, yes or local.
    ENABLE_MODULE_COMMAND: ProtectedAction = choice("enable-module-command", "no").immutable();
    /// Whose RESTORE payloads are checked in depth: no, yes or clients.
    SANITIZE_DUMP_PAYLOAD: SanitizeDumpPayload = choice("sanitize-dump-payload", "no");
    /// The seed of the hash functions; by default another one at each start.
    HASH_SEED: OptionalText = optional("hash-seed").sensitive().immutable();
}
