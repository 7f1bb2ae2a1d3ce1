//! Programs that stand before the real ones in an unbooted tree, so that maintainer scripts start no service there.
//! It is separate because it is what policy-rc.d is for, without a file in the tree: it lies in the private /run.

/// Where they lie; first in PATH.
pub(super) const DIR: &str = "/run/nodeagent-child";

/// Name and text of each. `invoke-rc.d --query` answers 101 (forbidden) and `status` 4 (unknown), as under a
/// policy-rc.d that forbids everything; all else succeeds, because scripts treat a refusal as their own failure.
pub(super) const SHIMS: &[(&str, &str)] = &[
    (
        "invoke-rc.d",
        "#!/bin/sh\n\
         # No service is started or stopped in an unbooted tree.\n\
         case \" $* \" in *' --query '*) exit 101 ;; *' status '*) exit 4 ;; esac\n\
         exit 0\n",
    ),
    (
        "start-stop-daemon",
        "#!/bin/sh\n\
         # No daemon is started or stopped in an unbooted tree.\n\
         exit 0\n",
    ),
];

/// Environment of every program in a tree: the shims first, and systemctl told that no manager runs.
pub(super) fn env() -> Vec<(String, String)> {
    vec![
        ("PATH".to_owned(), format!("{DIR}:{}", super::PATH)),
        ("SYSTEMD_OFFLINE".to_owned(), "1".to_owned()),
    ]
}
