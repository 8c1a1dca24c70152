//! Where the boxes and lines of a pipeline go: a step stands one layer behind the last step it needs.

/// Which way the pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From left to right, for wide screens.
    Across,
    /// From top to bottom, for narrow ones.
    Down,
}

/// Size of the box of a step.
pub(crate) const BOX: (i32, i32) = (144, 48);

/// Room between two boxes of a layer.
const BESIDE: i32 = 16;

/// Room between two layers, for the lines.
const BETWEEN: i32 = 28;

/// Width of the way of a line past a layer.
const LANE: i32 = 14;

/// Room around the whole, for outlines.
const MARGIN: i32 = 6;

/// Times the order within the layers is gone through: further ones changed nothing in pipelines of fifty steps.
const SWEEPS: usize = 4;

/// A pipeline, laid out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// The upper left corner of each step's box, in the order of the steps.
    pub(crate) boxes: Vec<(i32, i32)>,
    /// The lines, as SVG paths.
    pub(crate) lines: Vec<String>,
}

/// Lays out steps by the places of those each needs. A need of a later step is left out: bad data must not hang a page.
pub(crate) fn layout(needs: &[Vec<usize>], direction: Direction) -> Layout {
    let grid = Grid::of(needs);
    let (along_box, across_box) = match direction {
        Direction::Across => BOX,
        Direction::Down => (BOX.1, BOX.0),
    };
    let (across, broadest) = grid.across(across_box);
    let along = |layer: usize| MARGIN + length(layer) * (along_box + BETWEEN);
    let turned = |along: i32, across: i32| match direction {
        Direction::Across => (along, across),
        Direction::Down => (across, along),
    };
    let mut boxes = vec![(0, 0); needs.len()];
    for (number, layer) in grid.layers.iter().enumerate() {
        for (place, what) in layer.iter().enumerate() {
            if let Some(step) = what {
                boxes[*step] = turned(along(number), across[number][place] - across_box / 2);
            }
        }
    }
    let line = |(first, places): &(usize, Vec<usize>)| {
        let mut points = Vec::new();
        for (passed, place) in places.iter().enumerate() {
            let number = first + passed;
            let at = across[number][*place];
            if passed > 0 {
                points.push((along(number), at));
            }
            if passed + 1 < places.len() {
                points.push((along(number) + along_box, at));
            }
        }
        path(&points, turned)
    };
    let lines = grid.ways.iter().map(line).collect();
    let long = (length(grid.layers.len()) * (along_box + BETWEEN) - BETWEEN).max(0);
    let (width, height) = turned(long + 2 * MARGIN, broadest + 2 * MARGIN);
    Layout { width, height, boxes, lines }
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1000)
}

struct Grid {
    /// What takes the places of each layer: a step, or a line that passes by.
    layers: Vec<Vec<Option<usize>>>,
    /// For each line the layer it begins in, and its place in that and each one after.
    ways: Vec<(usize, Vec<usize>)>,
}

impl Grid {
    fn of(needs: &[Vec<usize>]) -> Self {
        let depth = depths(needs);
        let count = depth.iter().max().map_or(0, |deepest| deepest + 1);
        let mut layers = vec![Vec::new(); count];
        let mut place_of = vec![0; needs.len()];
        for (step, depth) in depth.iter().enumerate() {
            place_of[step] = layers[*depth].len();
            layers[*depth].push(Some(step));
        }
        let mut ways = Vec::new();
        for (step, needed) in needs.iter().enumerate() {
            for need in needed.iter().filter(|need| **need < step) {
                let mut places = vec![place_of[*need]];
                for layer in &mut layers[depth[*need] + 1..depth[step]] {
                    places.push(layer.len());
                    layer.push(None);
                }
                places.push(place_of[step]);
                ways.push((depth[*need], places));
            }
        }
        Self { layers, ways }
    }

    /// The middle of each place across its layer, and how broad the broadest layer is.
    fn across(&self, across_box: i32) -> (Vec<Vec<i32>>, i32) {
        let ranks = self.ranks();
        let size = |what: &Option<usize>| if what.is_some() { across_box } else { LANE };
        let breadth =
            |layer: &Vec<Option<usize>>| layer.iter().map(|what| size(what) + BESIDE).sum::<i32>() - BESIDE;
        let broadest = self.layers.iter().map(breadth).max().unwrap_or(0);
        let middles = |(layer, ranks): (&Vec<Option<usize>>, &Vec<usize>)| {
            let mut places: Vec<usize> = (0..layer.len()).collect();
            places.sort_by_key(|place| ranks[*place]);
            let mut middles = vec![0; layer.len()];
            let mut at = MARGIN + (broadest - breadth(layer)) / 2;
            for place in places {
                middles[place] = at + size(&layer[place]) / 2;
                at += size(&layer[place]) + BESIDE;
            }
            middles
        };
        (self.layers.iter().zip(&ranks).map(middles).collect(), broadest)
    }

    /// Where each place stands within its layer: near those it is joined to.
    fn ranks(&self) -> Vec<Vec<usize>> {
        let mut ranks: Vec<Vec<usize>> = self.layers.iter().map(|layer| (0..layer.len()).collect()).collect();
        let count = self.layers.len();
        for sweep in 0..SWEEPS {
            for step in 1..count {
                // Down the layers by those before, then up by those behind.
                let (number, near) =
                    if sweep % 2 == 0 { (step, step - 1) } else { (count - 1 - step, count - step) };
                ranks[number] = self.ranked(number, near, &ranks);
            }
        }
        ranks
    }

    fn ranked(&self, number: usize, near: usize, ranks: &[Vec<usize>]) -> Vec<usize> {
        let mut joined: Vec<Vec<usize>> = vec![Vec::new(); self.layers[number].len()];
        for (first, places) in &self.ways {
            let place = |layer: usize| layer.checked_sub(*first).and_then(|at| places.get(at));
            if let (Some(here), Some(there)) = (place(number), place(near)) {
                joined[*here].push(ranks[near][*there]);
            }
        }
        // In thousandths, so that the mean of two neighbours lies between them.
        let weight = |place: &usize| match joined[*place].len() {
            0 => ranks[number][*place] * 1000,
            several => joined[*place].iter().sum::<usize>() * 1000 / several,
        };
        let mut places: Vec<usize> = (0..joined.len()).collect();
        places.sort_by_key(|place| (weight(place), ranks[number][*place]));
        let mut ranked = vec![0; places.len()];
        places.into_iter().enumerate().for_each(|(rank, place)| ranked[place] = rank);
        ranked
    }
}

/// How many steps come before each at most. A pipeline names no step before it is there, so one pass is enough.
fn depths(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut depth = vec![0; needs.len()];
    for (step, needed) in needs.iter().enumerate() {
        let before = needed.iter().filter(|need| **need < step).map(|need| depth[*need] + 1);
        depth[step] = before.max().unwrap_or(0);
    }
    depth
}

/// A line through points, bent between layers and straight beside them.
fn path(points: &[(i32, i32)], turned: impl Fn(i32, i32) -> (i32, i32)) -> String {
    let shown = |along: i32, across: i32| {
        let (x, y) = turned(along, across);
        format!("{x} {y}")
    };
    let mut text = String::new();
    let mut last = None;
    for (along, across) in points {
        let end = shown(*along, *across);
        match last {
            None => text.push_str(&format!("M{end}")),
            Some((_, before)) if before == *across => text.push_str(&format!(" L{end}")),
            Some((from, before)) => {
                let middle = i32::midpoint(from, *along);
                text.push_str(&format!(" C{}, {}, {end}", shown(middle, before), shown(middle, *across)));
            }
        }
        last = Some((*along, *across));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BOX, Direction, layout};
    use expect_test::expect;

    /// The boxes as a map, a letter a step, with the lines below.
    fn drawn(needs: &[&[usize]], direction: Direction) -> String {
        let needs: Vec<Vec<usize>> = needs.iter().map(|needs| needs.to_vec()).collect();
        let layout = layout(&needs, direction);
        let mut rows = vec![String::new(); usize::try_from(layout.height / 16 + 1).unwrap()];
        for (step, (x, y)) in layout.boxes.iter().enumerate() {
            let row = &mut rows[usize::try_from((y + BOX.1 / 2) / 16).unwrap()];
            let column = usize::try_from((x + BOX.0 / 2) / 19).unwrap();
            *row = format!("{row:column$}{}", char::from(b'a' + u8::try_from(step).unwrap()));
        }
        let map: Vec<&str> = rows.iter().map(|row| row.trim_end()).filter(|row| !row.is_empty()).collect();
        format!("{} x {}\n{}\n{}\n", layout.width, layout.height, map.join("\n"), layout.lines.join("\n"))
    }

    #[test]
    fn steps_one_after_another_stand_in_a_row() {
        expect![[r#"
            500 x 60
                a        b        c
            M150 30 L178 30
            M322 30 L350 30
        "#]]
        .assert_eq(&drawn(&[&[], &[0], &[1]], Direction::Across));
        expect![[r#"
            156 x 136
                a
                b
            M78 54 L78 82
        "#]]
        .assert_eq(&drawn(&[&[], &[0]], Direction::Down));
        expect![[r#"
            12 x 12


        "#]]
        .assert_eq(&drawn(&[], Direction::Across));
    }

    #[test]
    fn a_line_past_a_layer_has_a_lane_of_its_own() {
        expect![[r#"
            844 x 154
                         b
                                  d
                a                          e        f
                         c
            M150 77 C164 77, 164 30, 178 30
            M150 77 C164 77, 164 94, 178 94
            M322 30 C336 30, 336 47, 350 47
            M494 47 C508 47, 508 77, 522 77
            M322 94 L350 94 L494 94 C508 94, 508 77, 522 77
            M150 77 C164 77, 164 141, 178 141 L322 141 C336 141, 336 124, 350 124 L494 124 C508 124, 508 77, 522 77
            M666 77 L694 77
        "#]].assert_eq(&drawn(&[&[], &[0], &[0], &[1], &[3, 2, 0], &[4]], Direction::Across));
    }

    #[test]
    fn lines_do_not_cross_where_they_need_not() {
        expect![[r#"
            328 x 124
                a        d
                b        c
            M150 94 L178 94
            M150 30 L178 30
        "#]]
        .assert_eq(&drawn(&[&[], &[], &[1], &[0]], Direction::Across));
    }

    #[test]
    fn a_need_of_what_comes_later_is_left_out() {
        expect![[r#"
            156 x 124
                a
                b

        "#]]
        .assert_eq(&drawn(&[&[1], &[1]], Direction::Across));
    }
}
