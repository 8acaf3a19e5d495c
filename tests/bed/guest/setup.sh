# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# setup.sh - run in the new root file system by layers/image.sh: turn a plain Debian into the emulated host.
echo bed >/etc/hostname
printf '127.0.0.1 localhost bed\n::1 localhost\n' >/etc/hosts
echo 'nameserver 10.0.2.3' >/etc/resolv.conf
printf 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n' >/etc/environment
echo '/dev/vda / ext4 noatime 0 0' >/etc/fstab

# root and an unprivileged user, reachable by key only
useradd -m -u 1000 -s /bin/bash -G kvm user
grep -q '^user:' /etc/subuid || { echo user:100000:65536 >>/etc/subuid; echo user:100000:65536 >>/etc/subgid; }
for h in /root /home/user; do
	mkdir -p -m 700 $h/.ssh
	cp /root/key.pub $h/.ssh/authorized_keys
done
chown -R user:user /home/user/.ssh
mkdir -p /var/lib/systemd/linger
touch /var/lib/systemd/linger/user
printf '%s\n' 'PermitRootLogin prohibit-password' 'UseDNS no' 'PrintMotd no' 'MaxStartups 50' 'MaxSessions 100' \
	>/etc/ssh/sshd_config.d/bed.conf
sed -i '/pam_motd\|pam_mail/d' /etc/pam.d/sshd

# the fixed address of the emulator's user network, not waited for
mkdir -p /etc/systemd/network
printf '%s\n' '[Match]' 'Name=en*' '[Network]' 'Address=10.0.2.15/24' 'Gateway=10.0.2.2' 'LinkLocalAddressing=no' \
	>/etc/systemd/network/en.network
systemctl enable systemd-networkd
systemctl mask systemd-networkd-wait-online.service
systemctl disable containerd docker docker.socket podman-restart podman-auto-update.timer || true
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
	e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer

# what a hypervisor needs of its host, for the user too
printf '%s\n' kvm_amd tun vhost_net vhost_vsock overlay fuse >/etc/modules-load.d/bed.conf
for d in kvm vhost-net vhost-vsock; do printf 'KERNEL=="%s", GROUP="kvm", MODE="0660"\n' $d; done \
	>/etc/udev/rules.d/70-bed.rules
echo 'net.ipv4.ping_group_range=0 2000000' >/etc/sysctl.d/bed.conf

# every controller is handed to the user's systemd; the journal stays in memory
mkdir -p /etc/systemd/system/user@.service.d /etc/systemd/journald.conf.d
printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >/etc/systemd/system/user@.service.d/delegate.conf
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' >/etc/systemd/journald.conf.d/bed.conf

mkdir -p /etc/containers
printf '[engine]\nevents_logger="file"\n[containers]\nlog_driver="k8s-file"\n' >/etc/containers/containers.conf
rm -f /root/key.pub /root/setup.sh
apt-get clean
rm -rf /var/lib/apt/lists/*
