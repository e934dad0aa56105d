// The root of each of n trees of keccak256 over leaves of 32 bytes. One dispatch replaces every 1,024 nodes of a tree, or
// the nodes that remain, by the node above them; the next goes on with those, until each tree has one. A node is keccak256 of
// its two children; one without a sibling moves up unchanged.
//
// Bindings (group 0):
//   0  trees   read            shape [n] or longer: the first word and the length in bytes of each tree's leaves
//   1  leaves  read            shape [leaves, 2] or longer
//   2  nodes   read and write  shape [n + nodes between dispatches, 2] or longer: the roots, and behind them those nodes
// One workgroup of 256 threads per 1,024 nodes. The nodes of tree t that stand for 2^s leaves each lie from
// (the tree's first leaf >> s) + t on, so that no two trees overlap; workgroups for the gaps between trees do nothing.

struct Params {
    // Number of trees.
    n: u32,
    // Threads per row of the grid.
    row: u32,
    // Nodes that go in stand for 2^below leaves each.
    below: u32,
    // Where nodes that go in begin, and where those that come out do.
    from_node: u32,
    to_node: u32,
    // Number of the first workgroup, and of all.
    first: u32,
    groups: u32,
    // 1 if what comes out are the roots.
    is_last: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> trees: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> leaves: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> nodes: array<vec4<u32>>;

struct Node {
    low: vec4<u32>,
    high: vec4<u32>,
}

var<workgroup> level_nodes: array<Node, 512>;

// What goes in.
fn below(i: u32) -> Node {
    if params.below == 0u {
        return Node(leaves[2u * i], leaves[2u * i + 1u]);
    }
    return Node(nodes[2u * i], nodes[2u * i + 1u]);
}

// keccak256 of 64 bytes, one block with its padding.
fn parent(left: Node, right: Node) -> Node {
    a[0] = left.low.xy;
    a[1] = left.low.zw;
    a[2] = left.high.xy;
    a[3] = left.high.zw;
    a[4] = right.low.xy;
    a[5] = right.low.zw;
    a[6] = right.high.xy;
    a[7] = right.high.zw;
    a[8] = vec2(1u, 0u);
    a[9] = vec2(0u, 0u);
    a[10] = vec2(0u, 0u);
    a[11] = vec2(0u, 0u);
    a[12] = vec2(0u, 0u);
    a[13] = vec2(0u, 0u);
    a[14] = vec2(0u, 0u);
    a[15] = vec2(0u, 0u);
    a[16] = vec2(0u, 0x80000000u);
    a[17] = vec2(0u, 0u);
    a[18] = vec2(0u, 0u);
    a[19] = vec2(0u, 0u);
    a[20] = vec2(0u, 0u);
    a[21] = vec2(0u, 0u);
    a[22] = vec2(0u, 0u);
    a[23] = vec2(0u, 0u);
    a[24] = vec2(0u, 0u);
    keccak_f();
    return Node(vec4(a[0], a[1]), vec4(a[2], a[3]));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let g = params.first + group.y * (params.row / 256u) + group.x;
    let above = params.below + 10u;
    // The last tree whose nodes begin here or before.
    var t = 0u;
    var end = params.n;
    while end - t > 1u {
        let middle = (t + end) / 2u;
        if ((trees[middle].x / 8u) >> above) + middle <= g {
            t = middle;
        } else {
            end = middle;
        }
    }
    let first_leaf = trees[t].x / 8u;
    let all = (trees[t].y / 32u + (1u << params.below) - 1u) >> params.below;
    let segment = 1024u * (g - (first_leaf >> above) - t);
    var n = 0u;
    if g < params.groups && segment < all {
        n = min(all - segment, 1024u);
    }
    var first = first_leaf + segment;
    if params.below > 0u {
        first = params.from_node + (first_leaf >> params.below) + t + segment;
    }

    for (var i = me; 2u * i < n; i += 256u) {
        var node = below(first + 2u * i);
        if 2u * i + 1u < n {
            node = parent(node, below(first + 2u * i + 1u));
        }
        level_nodes[i] = node;
    }
    n = (n + 1u) / 2u;
    // All threads come to the same barriers, however few nodes are left.
    for (var level = 1u; level < 10u; level++) {
        workgroupBarrier();
        var node: Node;
        if 2u * me < n {
            node = level_nodes[2u * me];
            if 2u * me + 1u < n {
                node = parent(node, level_nodes[2u * me + 1u]);
            }
        }
        workgroupBarrier();
        if 2u * me < n {
            level_nodes[me] = node;
        }
        n = (n + 1u) / 2u;
    }
    if me == 0u && n > 0u {
        var to = t;
        if params.is_last == 0u {
            to = params.to_node + g;
        }
        nodes[2u * to] = level_nodes[0].low;
        nodes[2u * to + 1u] = level_nodes[0].high;
    }
}
