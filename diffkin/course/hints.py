"""What is said about an answer, in both languages: one text for each thing that can be seen."""

from __future__ import annotations

from diffkin.course.exercise import Text

__all__ = ["ERROR_HINTS", "LABELS", "REASONS"]

LABELS = {
    "right": Text("right", "正确"),
    "wrong": Text("not yet", "还不对"),
    "expected": Text("expected", "应返回"),
    "given": Text("got", "实际返回"),
    "hint": Text("hint", "提示"),
    "tensor": Text("a tensor of shape {shape}, {dtype}", "形状为 {shape} 的张量，{dtype}"),
    "number": Text("one number, {dtype}", "一个数，{dtype}"),
    "nothing": Text("nothing (None)", "没有返回值（None）"),
    "with_gradient": Text(", differentiable in its inputs", "，并且对输入可微"),
}

# reason -> hint; the reasons are also the words in the grader's table
REASONS = {
    "not callable": Text(
        "Give the function itself, `check(number, f)`, not what it returns, `f(x)`.",
        "请把函数本身交给 check：`check(number, f)`，而不是它的返回值 `f(x)`。",
    ),
    "missing": Text("The file has no function of that name.", "文件里没有这个名字的函数。"),
    "not answered": Text(
        "Replace `raise NotImplementedError` by your own code.", "请把 `raise NotImplementedError` 换成自己的代码。"
    ),
    "raised": Text("It stopped with {error}: {message}", "运行中断，{error}：{message}"),
    "nothing": Text(
        "It returns None. Is the `return` missing? A tensor that is no leaf has no `.grad` either.",
        "返回值是 None。是不是漏了 `return`？另外，非叶子张量的 `.grad` 也是 None。",
    ),
    "kind": Text("Return a tensor (an array or a number will do).", "请返回张量（数组或数也可以）。"),
    "constant": Text(
        "It gives the same for every input. The inputs change: compute with the arguments, not with the sample's numbers.",
        "对每个输入它都给出同样的结果。输入是会变的：请用函数的参数计算，不要写死例子里的数。",
    ),
    "sample only": Text(
        "Right for the lesson's sample and wrong for other inputs. Which number, shape or length is written down in it?",
        "课文里的例子对了，换一组输入就错。代码里是不是写死了某个数、形状或长度？",
    ),
    "shape": Text("The shape is not the expected one.", "形状与要求不符。"),
    "transposed": Text(
        "The transpose of this would be right. Rows belong to outputs, columns to inputs.",
        "转置之后就对了。行对应输出，列对应输入。",
    ),
    "dtype": Text(
        "The numbers have another type than expected. Make new tensors with `dtype=x.dtype`, or from the inputs.",
        "数据类型与要求不符。新建张量时请写 `dtype=x.dtype`，或者由输入算出来。",
    ),
    "not finite": Text(
        "It gives NaN or infinity for an input that has an answer. Where does it divide by zero, or take a root or acos at "
        "its edge?",
        "输入是合法的，结果里却有 NaN 或无穷大。哪里除以了零，或者在边界处开方、求 acos？",
    ),
    "accumulated": Text(
        "Called twice with the same input, it gives two different answers. `backward` adds to `.grad`: empty it, start from a "
        "fresh leaf `x.detach().clone().requires_grad_()`, or use `torch.autograd.grad`.",
        "同样的输入调用两次，结果不同。`backward` 会把梯度累加到 `.grad`：请先清零，或从新的叶子张量 "
        "`x.detach().clone().requires_grad_()` 开始，或改用 `torch.autograd.grad`。",
    ),
    "degrees": Text(
        "Degrees and radians are mixed up; every angle here is in radians.",
        "角度制和弧度制混用了；这里所有的角都是弧度。",
    ),
    "sign": Text("The sign of everything is turned round.", "所有数的符号都反了。"),
    "factor": Text(
        "A constant factor is off: every entry is too large or too small by the same ratio.",
        "差一个常数因子：每个数都按同样的比例偏大或偏小。",
    ),
    "precision": Text(
        "Nearly right, but not to the precision of float64. Is something computed in float32, or with too coarse a step?",
        "差一点就对，但没有达到 float64 的精度。是不是有一步用了 float32，或者步长太大？",
    ),
    "changed input": Text(
        "It changes its input. Work on a copy: `x = x.clone()`, and no `+=` on an argument.",
        "它改动了输入。请在副本上计算：`x = x.clone()`，不要对参数用 `+=`。",
    ),
    "detached": Text(
        "The values are right, but no gradient flows to the inputs. `.item()`, `.detach()`, `.numpy()`, `float(...)` and "
        "`torch.tensor([...])` of tensors cut the graph; `torch.stack` keeps it.",
        "数值是对的，但梯度传不回输入。`.item()`、`.detach()`、`.numpy()`、`float(...)` 以及用 `torch.tensor([...])` 重新包装"
        "都会切断计算图；`torch.stack` 不会。",
    ),
    "gradient not finite": Text(
        "The values are right, but a gradient is NaN or infinite. `torch.where` does not stop the gradient of the branch it "
        "does not take: make that branch's input harmless first.",
        "数值是对的，但梯度里有 NaN 或无穷大。`torch.where` 挡不住未选中分支的梯度：请先把那个分支的输入换成无害的数。",
    ),
    "gradient": Text(
        "The values are right, but the gradient is not. Is a part of the graph cut off, or a branch constant?",
        "数值是对的，但梯度不对。计算图是不是有一部分被切断了，或者某个分支成了常数？",
    ),
    "time": Text("It did not finish in time. Does a loop never end?", "没有在规定时间内结束。是不是有死循环？"),
    "crashed": Text("The process ended in the middle of it.", "进程中途退出了。"),
    "memory": Text("It wants more memory than there is.", "内存超出限制。"),
    "imports": Text(
        "It imports {message}. Answers may use torch, numpy and Python's mathematics alone.",
        "它导入了 {message}。答案只能使用 torch、numpy 和 Python 自带的数学模块。",
    ),
    "fenced": Text(
        "It tried what an answer has no need of: {message}",
        "它做了答题不需要的操作：{message}",
    ),
    "not read": Text("The file cannot be run: {message}", "文件无法运行：{message}"),
}

# what torch says -> what it means
ERROR_HINTS = (
    (
        "a second time",
        Text(
            "The graph was freed by the first backward pass. Every pass but the last wants `retain_graph=True`.",
            "第一次反向传播后计算图就被释放了。除最后一次外，每次都要写 `retain_graph=True`。",
        ),
    ),
    (
        "created only for scalar outputs",
        Text(
            "An output with several entries wants a seed: `y.backward(v)` with `v` of the shape of `y`.",
            "输出不止一个数时必须给种子：`y.backward(v)`，`v` 的形状与 `y` 相同。",
        ),
    ),
    (
        "does not require grad",
        Text(
            "There is no graph. Call `requires_grad_()` on a copy of the input before the output is computed from it; for a "
            "derivative of a derivative, `create_graph=True`.",
            "没有计算图。请先对输入的副本调用 `requires_grad_()`，再计算输出；要对导数再求导，请写 `create_graph=True`。",
        ),
    ),
    (
        "Can't call numpy() on Tensor that requires grad",
        Text(
            "NumPy knows no gradients. Stay with torch functions on everything that is to be differentiated.",
            "NumPy 不懂梯度。凡是要求导的量，请一直用 torch 的函数计算。",
        ),
    ),
    (
        "leaf Variable that requires grad",
        Text(
            "An input that requires gradients must not be changed in place: write `y = x + 1`, not `x += 1`.",
            "需要梯度的输入不能原地修改：请写 `y = x + 1`，不要写 `x += 1`。",
        ),
    ),
    (
        "same dtype",
        Text(
            "float32 and float64 are mixed. Make new tensors with `dtype=x.dtype`.",
            "float32 与 float64 混用了。新建张量时请写 `dtype=x.dtype`。",
        ),
    ),
    (
        "Mismatch in shape",
        Text(
            "A seed must have the shape of the output, not of the input.",
            "种子的形状必须与输出相同，而不是与输入相同。",
        ),
    ),
    (
        "positional argument",
        Text(
            "The function's arguments are not those of the stub. Keep its first line as it was.",
            "函数的参数与题目给出的不一致。请保留函数的第一行不变。",
        ),
    ),
)
