/* SPDX-License-Identifier: MIT */
/* Texts of /proc/PID/cgroup as runtimes and their documents show them, cgroup v1 and v2, both drivers. */
#include <string.h>

#include "base/util.h"
#include "kern/container.h"
#include "tap.h"

#define ID  "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
#define ID2 "ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a"
#define UID "74ba62da-1a3d-11e7-bb11-080027cb0e22"
#define U_U "74ba62da_1a3d_11e7_bb11_080027cb0e22"

static const struct {
	const char *name, *text, *runtime, *id, *pod, *path;
} rows[] = {
	{ "docker, v2, systemd", "0::/system.slice/docker-" ID ".scope\n", "docker", ID, "",
	  "/system.slice/docker-" ID ".scope" },
	{ "docker, v2, cgroupfs", "0::/docker/" ID "\n", "docker", ID, "", "/docker/" ID },
	{ "docker, v1", "12:memory:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", "docker", ID, "", "/docker/" ID },
	{ "docker, v1, systemd",
	  "10:devices:/system.slice/docker-" ID ".scope\n1:name=systemd:/system.slice/docker-" ID ".scope\n", "docker",
	  ID, "", "/system.slice/docker-" ID ".scope" },
	{ "docker in docker", "9:name=systemd:/docker/" ID "/docker/" ID2 "\n", "docker", ID2, "",
	  "/docker/" ID "/docker/" ID2 },
	{ "rootless docker", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope\n",
	  "docker", ID, "", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope" },
	{ "some have no place in v1", "3:rdma:/\n2:cpuset,cpu:/docker/" ID "\n1:name=systemd:/docker/" ID "\n",
	  "docker", ID, "", "/docker/" ID },
	{ "hybrid: the container is in v1 alone", "4:memory:/docker/" ID "\n1:name=systemd:/\n0::/\n", "docker", ID, "",
	  "/docker/" ID },
	{ "podman, systemd", "0::/machine.slice/libpod-" ID ".scope/container\n", "podman", ID, "",
	  "/machine.slice/libpod-" ID ".scope/container" },
	{ "podman, rootless",
	  "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container\n", "podman", ID,
	  "", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container" },
	{ "podman, cgroupfs", "11:pids:/libpod_parent/libpod-" ID "\n", "podman", ID, "", "/libpod_parent/libpod-" ID },
	{ "podman, a quadlet", "0::/system.slice/nginx.service/libpod-payload-" ID "\n", "podman", ID, "",
	  "/system.slice/nginx.service/libpod-payload-" ID },
	{ "podman, a pod", "0::/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope\n", "podman", ID,
	  ID2, "/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope" },
	{ "conmon is outside", "0::/machine.slice/libpod-conmon-" ID ".scope\n", NULL, "", "",
	  "/machine.slice/libpod-conmon-" ID ".scope" },
	{ "crio-conmon is outside", "0::/system.slice/crio-conmon-" ID ".scope\n", NULL, "", "",
	  "/system.slice/crio-conmon-" ID ".scope" },
	{ "kubernetes, containerd, systemd",
	  "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" U_U ".slice/cri-containerd-" ID
	  ".scope\n",
	  "containerd", ID, UID,
	  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" U_U ".slice/cri-containerd-" ID
	  ".scope" },
	{ "kubernetes, cri-o, guaranteed", "0::/kubepods.slice/kubepods-pod" U_U ".slice/crio-" ID ".scope\n", "cri-o",
	  ID, UID, "/kubepods.slice/kubepods-pod" U_U ".slice/crio-" ID ".scope" },
	{ "kubernetes, docker",
	  "11:cpuset:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_U ".slice/docker-" ID
	  ".scope\n",
	  "docker", ID, UID,
	  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_U ".slice/docker-" ID ".scope" },
	{ "kubernetes, cgroupfs", "11:devices:/kubepods/besteffort/pod" UID "/" ID "\n", "kubernetes", ID, UID,
	  "/kubepods/besteffort/pod" UID "/" ID },
	{ "kubernetes, below the container", "11:freezer:/kubepods/besteffort/pod" UID "/" ID "/kube-proxy\n",
	  "kubernetes", ID, UID, "/kubepods/besteffort/pod" UID "/" ID "/kube-proxy" },
	{ "kubernetes, a static pod",
	  "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podc704ef4c297ab11032b83ce52cbfc87b.slice/"
	  "cri-containerd-" ID ".scope\n",
	  "containerd", ID, "c704ef4c297ab11032b83ce52cbfc87b",
	  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podc704ef4c297ab11032b83ce52cbfc87b.slice/"
	  "cri-containerd-" ID ".scope" },
	{ "containerd with the wrong driver",
	  "0::/system.slice/containerd.service/kubepods-besteffort-pod" U_U ".slice:cri-containerd:" ID "\n",
	  "containerd", ID, UID,
	  "/system.slice/containerd.service/kubepods-besteffort-pod" U_U ".slice:cri-containerd:" ID },
	{ "seen from a cgroup namespace beside it", "0::/../../pod" UID "/" ID "\n", "kubernetes", ID, UID,
	  "/../../pod" UID "/" ID },
	{ "nerdctl, cgroupfs", "0::/default/" ID "\n", "containerd", ID, "", "/default/" ID },
	{ "nerdctl, systemd", "0::/system.slice/nerdctl-" ID ".scope\n", "containerd", ID, "",
	  "/system.slice/nerdctl-" ID ".scope" },
	{ "an id whose maker is not told", "10:net_prio:/" ID "\n", NULL, ID, "", "/" ID },
	{ "systemd-nspawn by hand", "0::/machine.slice/machine-deb\\x2d12.scope/payload\n", "systemd-nspawn", "deb-12",
	  "", "/machine.slice/machine-deb\\x2d12.scope/payload" },
	{ "systemd-nspawn as a service", "0::/machine.slice/systemd-nspawn@web.service/payload/init.scope\n",
	  "systemd-nspawn", "web", "", "/machine.slice/systemd-nspawn@web.service/payload/init.scope" },
	{ "a virtual machine is none", "0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator\n", NULL, "",
	  "", "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator" },
	{ "LXC, v2", "0::/lxc.payload.web/init.scope\n", "lxc", "web", "", "/lxc.payload.web/init.scope" },
	{ "LXC 4.0", "1:name=systemd:/lxc.payload/web/init.scope\n", "lxc", "web", "", "/lxc.payload/web/init.scope" },
	{ "Proxmox", "0::/lxc/101/ns/init.scope\n", "lxc", "101", "", "/lxc/101/ns/init.scope" },
	{ "LXC's monitor is outside", "0::/lxc.monitor.web\n", NULL, "", "", "/lxc.monitor.web" },
	{ "docker in LXC", "0::/lxc.payload.web/docker/" ID "\n", "docker", ID, "", "/lxc.payload.web/docker/" ID },
	{ "a host process", "0::/user.slice/user-1000.slice/session-2.scope\n", NULL, "", "",
	  "/user.slice/user-1000.slice/session-2.scope" },
	{ "the root", "0::/\n", NULL, "", "", "/" },
	{ "v1: systemd's hierarchy is the one", "2:cpu:/a\n1:name=systemd:/b\n", NULL, "", "", "/b" },
	{ "v2 before it", "1:name=systemd:/b\n0::/c\n", NULL, "", "", "/c" },
	{ "a controller of v1 before a root", "4:memory:/box\n1:name=systemd:/\n0::/\n", NULL, "", "", "/box" },
	{ "a path with a colon", "0::/a:b:c\n", NULL, "", "", "/a:b:c" },
	{ "63 digits", "0::/docker/9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3\n", NULL, "", "",
	  "/docker/9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3" },
	{ "a pod's own processes", "0::/kubepods/besteffort/pod" UID "\n", NULL, "", "",
	  "/kubepods/besteffort/pod" UID },
	{ "no newline at the end", "0::/docker/" ID, "docker", ID, "", "/docker/" ID },
	{ "nothing", "", NULL, "", "", "" },
	{ "junk", "x\n::\n0:\n0::\n0::relative\n", NULL, "", "", "" },
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct container c;

		container_parse(rows[i].text, &c);
		ok((rows[i].runtime == NULL ? c.runtime == NULL
					    : c.runtime != NULL && strcmp(c.runtime, rows[i].runtime) == 0) &&
			   strcmp(c.id, rows[i].id) == 0 && strcmp(c.pod, rows[i].pod) == 0 &&
			   strcmp(c.path, rows[i].path) == 0,
		   "%s: %s \"%s\" \"%s\" \"%s\"", rows[i].name, c.runtime != NULL ? c.runtime : "-", c.id, c.pod,
		   c.path);
	}
	return tap_end();
}
