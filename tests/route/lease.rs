//! Routers out of leases: the file that networkd keeps.
//! It is separate because a manager's place is taken by its file.

use std::fs;

use super::lab::in_lab;
use super::scenarios::STANDARD;

#[test]
fn without_a_default_route_the_leases_router_is_used() {
    in_lab(|lab| {
        lab.node("route del default dev eth1");
        let (code, said) = lab.apply(&[]);
        assert!(code == 3 && said.contains("degraded"), "{said}");
        let index = lab.sh("ip -n node -o link show eth1 | cut -d: -f1");
        fs::create_dir_all("/run/systemd/netif/leases").unwrap();
        let file = format!("/run/systemd/netif/leases/{}", index.trim());
        fs::write(&file, "# private\nADDRESS=10.1.0.10\nROUTER=10.1.0.1\n").unwrap();
        let (code, said) = lab.apply(&[]);
        assert!(code == 0 && said.contains("\"lease\""), "{said}");
        assert_eq!(lab.found(), STANDARD);
        // A lease without a router, and then none at all.
        fs::write(&file, "ADDRESS=10.1.0.10\n").unwrap();
        assert_eq!(lab.apply(&[]).0, 3);
        assert!(!lab.found().contains(&STANDARD[3].to_owned()));
    });
}
